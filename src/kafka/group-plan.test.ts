/** What a leader gives its members, and what of it comes through as bytes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planShares } from './group-plan.ts';
import {
  decodeMember,
  decodeShare,
  encodeMember,
  encodeShare,
  type MemberInfo,
} from './membership.ts';

function member(name: string, more: Partial<MemberInfo> = {}): MemberInfo {
  return {
    instanceId: name,
    transactionalId: `lull-${name}`,
    url: `http://${name}:8082`,
    generation: -1,
    owned: [],
    copies: new Map(),
    writers: new Map(),
    ...more,
  };
}

/** The members of a plan as they come to the next one. */
function settled(shares: ReturnType<typeof planShares>, generation: number) {
  const members = [...shares].map(([id, { owned, writers }]): [string, MemberInfo] => {
    return [id, member(id, { generation, owned, writers })];
  });
  return new Map(members);
}

describe('group plan', () => {
  it('names the writers that are gone to those who take over from them', () => {
    const three = new Map(['a', 'b', 'c'].map((name) => [name, member(name)]));
    const first = planShares(6, three, 1);
    for (const { predecessors } of first.values()) assert.deepEqual(predecessors, []);
    const rest = settled(first, 1);
    rest.delete('a');
    const second = planShares(6, rest, 1);
    for (const { predecessors } of second.values()) assert.deepEqual(predecessors, ['lull-a']);
    const third = planShares(6, settled(second, 2), 1);
    for (const { predecessors } of third.values()) assert.deepEqual(predecessors, []);
  });

  it('believes the newest table of writers', () => {
    const stale = member('a', { generation: 3, writers: new Map([[0, 'lull-old']]) });
    const newest = member('b', { generation: 4, writers: new Map([[0, 'lull-new']]) });
    const fresh = member('c', { generation: -1 });
    const shares = planShares(1, new Map(Object.entries({ stale, newest, fresh })), 0);
    const owner = [...shares.values()].find(({ owned }) => owned.length === 1)!;
    assert.deepEqual(owner.predecessors, ['lull-new']);
  });

  it('leaves out writers where nothing is written with transactions', () => {
    const shares = planShares(2, new Map([['a', member('a', { transactionalId: null })]]), 1);
    const { owned, predecessors, writers } = shares.get('a')!;
    assert.deepEqual([owned, predecessors, writers], [[0, 1], [], new Map()]);
  });

  it('goes over the wire and comes back the same', () => {
    const copies = new Map([
      [0, 2 ** 45],
      [511, 0],
    ]);
    const writers = new Map(Array.from({ length: 512 }, (_, n) => [n, `lull-${n % 10}`]));
    for (const info of [
      member('a'),
      member('ü', { transactionalId: null, generation: 7, owned: [1, 300], copies, writers }),
    ]) {
      assert.deepEqual(decodeMember(encodeMember('events', info)), info);
    }
    const share = { owned: [3, 4], standby: [500], predecessors: ['lull-x'], writers };
    const bytes = encodeShare('events', share);
    assert.deepEqual(decodeShare(bytes), share);
    assert.ok(bytes.length < 8192, `${bytes.length} bytes for 512 partitions`);
    const none = { owned: [], standby: [], predecessors: [], writers: new Map() };
    assert.deepEqual(decodeShare(encodeShare('events', none)), none);
    assert.equal(decodeShare(Buffer.alloc(0)), null);
  });
});
