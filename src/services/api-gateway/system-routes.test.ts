/** What is said of the system as a whole, also while a part of it is away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openGateway } from '../../../test/support/open-gateway.ts';
import { LullError } from '../../errors.ts';

test('while the live cache is away, all but the number of its sessions is answered', async (t) => {
  const whole = await openGateway();
  t.after(() => whole.close());
  const live = Object.assign(Object.create(whole.live) as typeof whole.live, {
    size: () => Promise.reject(new LullError('live_unavailable', 'the connection was lost')),
  });
  const gateway = await openGateway({ live });
  t.after(() => gateway.close());
  const systemOf = async ({ url }: typeof gateway) => {
    const answer = await fetch(`${url}/api/system`);
    assert.equal(answer.status, 200);
    return (await answer.json()) as { activeSessions: number | null; partitions: unknown[] };
  };
  assert.equal((await systemOf(whole)).activeSessions, 0);
  const { activeSessions, partitions } = await systemOf(gateway);
  assert.equal(activeSessions, null);
  assert.equal(partitions.length, 4);
});
