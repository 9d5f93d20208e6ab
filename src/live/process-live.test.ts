/** Live sessions in process: the contract, and what is bounded and lazy about it. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { SessionRecord } from '../core/output.ts';
import type { Clock } from '../ops/clock.ts';
import { LIVE_UNDER_TEST, liveContract, sessionOf } from './live.contract.ts';
import { openProcessLive } from './process-live.ts';

function encode(session: SessionRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(session));
}

function decode(_userId: string, bytes: Uint8Array): SessionRecord {
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** A clock that stands until it is moved; the wall may be set back and forth on its own. */
class StandingClock implements Clock {
  wallMs = Date.UTC(2026, 10, 23, 10);
  runMs = 0;
  nowMs = () => this.wallMs;
  monotonicMs = () => this.runMs;
  sleep = () => Promise.reject(new Error('nothing here sleeps'));

  advance(durationMs: number): void {
    this.wallMs += durationMs;
    this.runMs += durationMs;
  }
}

liveContract('live in process', async () => {
  const clock = new StandingClock();
  return {
    live: openProcessLive({ clock, decode, ...LIVE_UNDER_TEST }),
    encode,
    nowMs: clock.nowMs,
    earlyMs: 1,
    async advance(durationMs) {
      clock.advance(durationMs);
    },
    async listening() {},
    async dispose() {},
  };
});

it('keeps the users published last when there are too many', async () => {
  const live = openProcessLive({ clock: new StandingClock(), decode, ttlMs: 1000, maxUsers: 3 });
  const put = (position: number, userId: string) =>
    live.publish(0, position, [{ userId, session: encode(sessionOf(userId, 1)) }]);
  for (const [index, user] of ['a', 'b', 'c', 'a', 'd'].entries()) await put(index + 1, user);
  assert.equal(await live.get('b'), null);
  assert.equal(await live.session('session of b'), null);
  for (const user of ['a', 'c', 'd']) assert.ok(await live.get(user));
  assert.equal(await live.size(), 3);
  await live.publish(0, 9, [{ userId: 'e', session: null }]);
  assert.equal(await live.size(), 2, 'a marker takes a place as well');
});

it('decodes nothing until somebody asks, and then each session once for all lists', async () => {
  let decoded = 0;
  const counting = (userId: string, bytes: Uint8Array) => {
    decoded++;
    return decode(userId, bytes);
  };
  const clock = new StandingClock();
  const live = openProcessLive({ clock, decode: counting, ttlMs: 1000, maxUsers: 100 });
  const users = Array.from({ length: 20 }, (_, n) => `u${n}`);
  for (const position of [1, 2, 3]) {
    const updates = users.map((userId, n) => ({ userId, session: encode(sessionOf(userId, n)) }));
    await live.publish(0, position, updates);
  }
  assert.equal(decoded, 0);
  await live.list({}, 0, null);
  assert.equal(decoded, 20, 'once to know what they are');
  await live.list({ minEvents: 1 }, 5, null);
  assert.equal(decoded, 25, 'and those that are shown');
  await live.get('u19');
  assert.equal(decoded, 25, 'which are kept for those who ask again');
  await live.publish(0, 4, [{ userId: 'u19', session: encode(sessionOf('u19', 99)) }]);
  assert.equal((await live.get('u19'))!.session.durationSeconds, 0.099);
});

it('lets sessions expire by time that has passed, not by the wall clock', async () => {
  const clock = new StandingClock();
  const live = openProcessLive({ clock, decode, ttlMs: 1000, maxUsers: 100 });
  await live.publish(0, 1, [{ userId: 'a', session: encode(sessionOf('a', 1)) }]);
  clock.wallMs += 1e9;
  assert.equal(await live.size(), 1);
  clock.runMs += 1000;
  assert.equal(await live.size(), 0);
});

it('gives the partition to the decoder', async () => {
  const seen: number[] = [];
  const clock = new StandingClock();
  const live = openProcessLive({
    clock,
    decode(userId, bytes, partition) {
      seen.push(partition);
      return decode(userId, bytes);
    },
    ttlMs: 1000,
    maxUsers: 100,
  });
  await live.publish(7, 1, [{ userId: 'a', session: encode(sessionOf('a', 1)) }]);
  await live.get('a');
  assert.deepEqual(seen, [7]);
});
