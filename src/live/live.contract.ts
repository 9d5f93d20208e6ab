/** What every Live must do: one suite for all implementations. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { closed } from '../../test/support/history-records.ts';
import type { SessionRecord } from '../core/output.ts';
import type { Live, LiveChange, LiveFilter, LivePage } from './live.ts';

export const LIVE_UNDER_TEST = { ttlMs: 35 * 60_000, maxUsers: 1000 } as const;

export interface LiveUnderTest {
  /** Opened with the settings above, and empty. */
  readonly live: Live;
  encode(session: SessionRecord): Uint8Array;
  nowMs(): number;
  /** How much earlier something may expire than by what `advance` has let go by; at least 1. */
  readonly earlyMs: number;
  /** Lets time go by. */
  advance(durationMs: number): Promise<void>;
  /** Until those that were given to `onChange` hear what is published from now on. */
  listening(): Promise<void>;
  dispose(): Promise<void>;
}

const START_MS = Date.UTC(2026, 10, 23, 10);

/** A session whose end lies so many milliseconds after a fixed time; the rest plain. */
export function sessionOf(
  userId: string,
  endMs: number,
  parts: Partial<SessionRecord> = {},
): SessionRecord {
  return closed(`session of ${userId}`, 0, {
    userId,
    state: 'active',
    tier: null,
    closeReason: null,
    startTime: new Date(START_MS).toISOString(),
    endTime: new Date(START_MS + endMs).toISOString(),
    durationSeconds: endMs / 1000,
    ...parts,
  });
}

/** runs: how many random histories are tried. */
export function liveContract(name: string, make: () => Promise<LiveUnderTest>, runs = 100): void {
  describe(name, () => {
    let under: LiveUnderTest;
    let live: Live;
    beforeEach(async () => {
      under = await make();
      live = under.live;
    });
    afterEach(async () => {
      await live.close();
      await under.dispose();
    });
    const put = (position: number, ...sessions: SessionRecord[]) =>
      live.publish(
        0,
        position,
        sessions.map((session) => ({ userId: session.userId, session: under.encode(session) })),
      );
    const remove = (position: number, userId: string) =>
      live.publish(0, position, [{ userId, session: null }]);
    async function* batches(...sessions: SessionRecord[]) {
      for (const session of sessions) {
        yield [{ userId: session.userId, session: under.encode(session) }];
      }
    }
    const endOf = async (userId: string) => (await live.get(userId))?.session.endTime ?? null;
    const at = (endMs: number) => new Date(START_MS + endMs).toISOString();
    const pages = async (filter: LiveFilter, limit: number, between = async () => {}) => {
      const users: string[] = [];
      for (let cursor: string | null = null; ; ) {
        const page: LivePage = await live.list(filter, limit, cursor);
        assert.ok(page.items.length <= limit);
        users.push(...page.items.map(({ session }) => session.userId));
        if (page.nextCursor === null) return users;
        assert.equal(page.items.length, limit);
        cursor = page.nextCursor;
        await between();
      }
    };

    it('begins empty', async () => {
      assert.equal(await live.get('user'), null);
      assert.equal(await live.session('session'), null);
      assert.deepEqual(await live.list({}, 10, null), { items: [], nextCursor: null });
      assert.equal(await live.size(), 0);
    });

    it('gives the newest session of a user, and since when it is known', async () => {
      const first = sessionOf('ü', 1000, { trail: [{ type: 'CLICK', page: '/', time: at(0) }] });
      await put(1, first, sessionOf('other', 5));
      const { source, ...answer } = (await live.get('ü'))!;
      assert.deepEqual(answer, { session: first, asOfMs: under.nowMs() });
      assert.ok(['process', 'redis'].includes(source));
      await under.advance(5000);
      assert.equal((await live.get('ü'))!.asOfMs, under.nowMs() - 5000);
      const second = sessionOf('ü', 2000);
      await put(2, second);
      const { session, asOfMs } = (await live.get('ü'))!;
      assert.deepEqual({ session, asOfMs }, { session: second, asOfMs: under.nowMs() });
      assert.equal(await live.size(), 2);
    });

    it('takes an update only at a higher position than the one before', async () => {
      await put(5, sessionOf('user', 500));
      await put(5, sessionOf('user', 555));
      await put(4, sessionOf('user', 444));
      assert.equal(await endOf('user'), at(500));
      await put(6, sessionOf('user', 100));
      assert.equal(await endOf('user'), at(100), 'an earlier end of a later commit');
    });

    it('does not let a stalled writer bring back what was removed', async () => {
      await put(5, sessionOf('user', 500));
      await remove(7, 'user');
      await remove(7, 'never seen');
      assert.equal(await live.get('user'), null);
      assert.equal(await live.session('session of user'), null);
      assert.equal(await live.size(), 0);
      await under.advance(LIVE_UNDER_TEST.ttlMs - under.earlyMs);
      await put(6, sessionOf('user', 600), sessionOf('never seen', 600));
      assert.equal(await live.get('user'), null);
      assert.equal(await live.get('never seen'), null);
      await put(8, sessionOf('user', 800));
      assert.equal(await endOf('user'), at(800));
      await remove(6, 'user');
      assert.equal(await endOf('user'), at(800));
    });

    it('forgets what was not published again for the whole time', async () => {
      await put(1, sessionOf('kept', 1), sessionOf('gone', 2));
      await under.advance(LIVE_UNDER_TEST.ttlMs - under.earlyMs);
      await put(2, sessionOf('kept', 3));
      assert.equal(await endOf('gone'), at(2));
      await under.advance(under.earlyMs);
      assert.equal(await live.get('gone'), null);
      assert.equal(await live.session('session of gone'), null);
      assert.deepEqual(await pages({}, 10), ['kept']);
      assert.equal(await live.size(), 1);
      await under.advance(LIVE_UNDER_TEST.ttlMs);
      assert.equal(await live.size(), 0);
    });

    it('finds the session that is kept of a user by its id', async () => {
      await put(1, sessionOf('a', 1, { sessionId: 'first' }), sessionOf('b', 1));
      assert.equal((await live.session('first'))!.session.userId, 'a');
      await put(2, sessionOf('a', 2, { sessionId: 'first' }));
      assert.equal((await live.session('first'))!.session.endTime, at(2));
      await put(3, sessionOf('a', 3, { sessionId: 'second' }));
      assert.equal(await live.session('first'), null);
      assert.equal((await live.session('second'))!.session.endTime, at(3));
      await remove(4, 'a');
      assert.equal(await live.session('second'), null);
      assert.equal((await live.session('session of b'))!.session.userId, 'b');
    });

    it('lists by end, latest first, in pages of any size', async () => {
      const ends = Array.from({ length: 40 }, (_, n) => (n * 7) % 20);
      const sessions = ends.map((endMs, n) => sessionOf(`u${n}`, endMs));
      await put(1, ...sessions);
      await put(2, sessionOf('u3', 1000));
      await remove(3, 'u4');
      const all = await pages({}, 100);
      const endMs = new Map(sessions.map(({ userId }, n) => [userId, ends[n]!]));
      endMs.set('u3', 1000);
      endMs.delete('u4');
      assert.deepEqual([...all].sort(), [...endMs.keys()].sort());
      for (const [index, user] of all.entries()) {
        if (index > 0) assert.ok(endMs.get(user)! <= endMs.get(all[index - 1]!)!);
      }
      for (const limit of [1, 2, 7, 13, 38, 39, 40]) assert.deepEqual(await pages({}, limit), all);
    });

    it('lists what matches every condition', async () => {
      await put(
        1,
        sessionOf('plain', 60_000),
        sessionOf('long', 50_000, { eventCount: 10, device: 'mobile' }),
        sessionOf('cart', 40_000, { eventCount: 10, addToCarts: 2 }),
        sessionOf('buyer', 30_000, { addToCarts: 1, hasConversion: true, device: 'mobile' }),
      );
      await under.advance(START_MS + 60_000 - under.nowMs());
      const found = (filter: LiveFilter) => pages(filter, 1);
      assert.deepEqual(await found({}), ['plain', 'long', 'cart', 'buyer']);
      assert.deepEqual(await found({ minEvents: 10 }), ['long', 'cart']);
      assert.deepEqual(await found({ minEvents: 11 }), []);
      assert.deepEqual(await found({ hasCart: true }), ['cart', 'buyer']);
      assert.deepEqual(await found({ hasCart: false }), ['plain', 'long']);
      assert.deepEqual(await found({ hasCart: true, hasConversion: false }), ['cart']);
      assert.deepEqual(await found({ device: 'mobile' }), ['long', 'buyer']);
      assert.deepEqual(await found({ device: 'tablet' }), []);
      assert.deepEqual(await found({ minIdleMs: 0 }), ['plain', 'long', 'cart', 'buyer']);
      assert.deepEqual(await found({ minIdleMs: 20_000 }), ['cart', 'buyer']);
      assert.deepEqual(await found({ minIdleMs: 20_001 }), ['buyer']);
      await under.advance(1);
      assert.deepEqual(await found({ minIdleMs: 20_001 }), ['cart', 'buyer']);
    });

    it('shows what does not change exactly once, whatever changes between pages', async () => {
      const still = Array.from({ length: 30 }, (_, n) => sessionOf(`still ${n}`, n * 100));
      const restless = Array.from({ length: 30 }, (_, n) => sessionOf(`restless ${n}`, n * 100));
      await put(1, ...still, ...restless);
      let turn = 0;
      const seen = await pages({}, 7, async () => {
        turn++;
        await put(1 + turn, sessionOf(`restless ${turn}`, 50_000 + turn));
        await remove(100 + turn, `restless ${29 - turn}`);
        await put(200 + turn, sessionOf(`new ${turn}`, turn * 300));
      });
      assert.ok(turn > 3);
      const unchanged = seen.filter((user) => user.startsWith('still'));
      assert.deepEqual(unchanged, still.map(({ userId }) => userId).reverse());
      assert.equal(new Set(seen).size, seen.length, 'nobody twice');
    });

    it('refuses cursors that are not its own', async () => {
      await put(1, sessionOf('a', 1), sessionOf('b', 2));
      const { nextCursor } = await live.list({}, 1, null);
      const foreign = ['', 'x', '=', 'null', `${nextCursor}x`, `${nextCursor}=`, ` ${nextCursor}`];
      const texts = ['[]', '[1]', '[1,2]', '["1","a"]', '[1.5,"a"]', '[1,"a",2]', '{}', '[1, "a"]'];
      foreign.push(...texts.map((text) => Buffer.from(text).toString('base64url')));
      for (const cursor of foreign) {
        await assert.rejects(live.list({}, 1, cursor), { code: 'invalid_cursor' }, cursor);
      }
      assert.equal((await live.list({}, 1, nextCursor)).items[0]!.session.userId, 'a');
    });

    it('tells each change that counts, once it can be read', async () => {
      const changes: string[] = [];
      const told: Promise<void>[] = [];
      const stop = live.onChange(({ userId, session }) => {
        changes.push(`${userId} ${session()?.endTime ?? 'gone'}`);
        told.push(endOf(userId).then((end) => assert.equal(end, session()?.endTime ?? null)));
      });
      await under.listening();
      await put(2, sessionOf('a', 1), sessionOf('b', 2));
      await put(1, sessionOf('a', 3));
      await remove(3, 'a');
      await until(() => changes.length >= 3);
      await Promise.all(told);
      assert.deepEqual(changes, [`a ${at(1)}`, `b ${at(2)}`, 'a gone']);
      stop();
      await put(4, sessionOf('a', 4));
      assert.equal(changes.length, 3);
    });

    it('decodes a change once, and only when somebody asks', async () => {
      let change: LiveChange | null = null;
      live.onChange((one) => {
        change = one;
      });
      await under.listening();
      await put(1, sessionOf('a', 1));
      await until(() => change !== null);
      const { session } = change!;
      const first = session();
      assert.ok(first !== null);
      assert.equal(session(), first);
    });

    it('knows up to where a partition is published once it has been filled', async () => {
      assert.equal(await live.publishedPosition(0), null);
      assert.equal(await live.publish(0, 1, []), false, 'who knows what came before');
      assert.equal(await live.publishedPosition(0), null);
      assert.equal(await live.refill(0, 5, batches()), true);
      assert.equal(await live.publishedPosition(0), 5);
      assert.equal(await live.publishedPosition(1), null);
      assert.equal(await put(7, sessionOf('a', 1)), true);
      assert.equal(await live.publishedPosition(0), 7);
    });

    it('has, once filled, what the state had, and what was committed since', async () => {
      await put(3, sessionOf('closed since', 1), sessionOf('grown', 2), sessionOf('same', 3));
      await remove(3, 'gone');
      await live.publish(1, 3, [{ userId: 'other', session: under.encode(sessionOf('other', 4)) }]);
      async function* state() {
        yield* batches(sessionOf('grown', 20), sessionOf('same', 3));
        await put(9, sessionOf('grown', 90), sessionOf('new', 91));
        await remove(9, 'ended');
        yield* batches(sessionOf('new', 50), sessionOf('ended', 51), sessionOf('gone', 52));
      }
      assert.equal(await live.refill(0, 8, state()), true);
      const users = ['closed since', 'grown', 'same', 'other', 'new', 'ended', 'gone'];
      const ends = [null, at(90), at(3), at(4), at(91), null, at(52)];
      assert.deepEqual(await Promise.all(users.map(endOf)), ends);
      assert.deepEqual((await pages({}, 10)).sort(), ['gone', 'grown', 'new', 'other', 'same']);
      assert.equal(await live.size(), 5);
      assert.equal(await live.session('session of closed since'), null);
      await put(7, sessionOf('closed since', 70));
      assert.equal(await endOf('closed since'), null);
      assert.equal((await live.publishedPosition(0))! >= 8, true);
    });

    it('says what is wrong with a state that can not be read to its end', async () => {
      const unreadable = new Error('expected: a state that can not be read');
      async function* state() {
        yield* batches(sessionOf('a', 1));
        throw unreadable;
      }
      await assert.rejects(live.refill(0, 1, state()), unreadable);
      assert.equal(await live.publishedPosition(0), null);
    });

    it('goes on when a listener throws', async () => {
      const heard: string[] = [];
      live.onChange(() => {
        throw new Error('expected: a listener with a defect');
      });
      live.onChange(({ userId }) => heard.push(userId));
      await under.listening();
      await put(1, sessionOf('a', 1), sessionOf('b', 1));
      await until(() => heard.length >= 2);
      assert.deepEqual(heard, ['a', 'b']);
      assert.equal(await live.size(), 2);
    });

    it('keeps bytes that their owner goes on to overwrite', async () => {
      const encoded = under.encode(sessionOf('a', 1));
      const buffer = new Uint8Array(encoded.length + 10);
      buffer.set(encoded, 5);
      const session = buffer.subarray(5, 5 + encoded.length);
      await live.publish(0, 1, [{ userId: 'a', session }]);
      buffer.fill(0);
      assert.equal(await endOf('a'), at(1));
    });

    it('does what a naive model does, whatever comes', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(stepArbitrary(), { maxLength: 60 }), async (steps) => {
          const fresh = await make();
          try {
            await runSteps(steps, fresh);
          } finally {
            await fresh.live.close();
            await fresh.dispose();
          }
        }),
        { numRuns: runs },
      );
    });
  });
}

/** Waits for what comes by itself; the test's own time limit bounds it. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await setTimeout(1);
}

type Step =
  | { readonly user: string; readonly position: number; readonly endMs: number | null }
  | { readonly advanceMs: number };

function stepArbitrary(): fc.Arbitrary<Step> {
  const publish = fc.record({
    user: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    position: fc.integer({ min: 1, max: 30 }),
    endMs: fc.option(fc.nat(5), { freq: 3 }),
  });
  // What expires late or early by a little still expires between the same two steps.
  const advanceMs = fc.integer({ min: 1, max: 2 }).map((n) => (n * LIVE_UNDER_TEST.ttlMs) / 4);
  return fc.oneof(
    { weight: 5, arbitrary: publish },
    { weight: 1, arbitrary: fc.record({ advanceMs }) },
  );
}

async function runSteps(steps: readonly Step[], { live, ...under }: LiveUnderTest): Promise<void> {
  const model = new Map<string, { position: number; endMs: number | null; expiresMs: number }>();
  for (const step of steps) {
    if ('advanceMs' in step) {
      await under.advance(step.advanceMs);
    } else {
      const { user, position, endMs } = step;
      const session = endMs === null ? null : under.encode(sessionOf(user, endMs));
      await live.publish(0, position, [{ userId: user, session }]);
      const before = model.get(user);
      if (before === undefined || before.position < position) {
        model.set(user, { position, endMs, expiresMs: under.nowMs() + LIVE_UNDER_TEST.ttlMs });
      }
    }
    for (const [user, { expiresMs }] of model) {
      if (expiresMs <= under.nowMs()) model.delete(user);
    }
    const active = [...model].filter(([, { endMs }]) => endMs !== null);
    assert.equal(await live.size(), active.length);
    const listed = (await live.list({}, 3, null)).items.map(({ session }) => session);
    const ends = active.map(([, { endMs }]) => endMs!).sort((a, b) => b - a);
    assert.deepEqual(
      listed.map(({ endTime }) => Date.parse(endTime) - START_MS),
      ends.slice(0, 3),
    );
    for (const { userId, endTime } of listed) {
      assert.equal(Date.parse(endTime) - START_MS, model.get(userId)?.endMs);
    }
  }
}
