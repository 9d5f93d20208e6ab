/** The whole story on a running system with its shoppers: lulls, a bridge, history, counts. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { SessionRecord } from '../../src/core/output.ts';
import {
  eventually,
  get,
  post,
  type RunningSystem,
  untilReady,
} from '../support/running-system.ts';

const MINUTE_MS = 60_000;
const bound = { timeout: 600_000 };

export interface JourneyOptions {
  /** Starts it, on the data that a start before has left. */
  readonly start: () => Promise<RunningSystem>;
  readonly clear: () => void | Promise<void>;
  readonly backfillHours: number;
  /** Where a live session may be answered from. */
  readonly sources: readonly string[];
}

interface Health {
  readonly status: string;
  readonly parts: readonly { name: string; status: string; reason: string | null }[];
}

interface Items {
  readonly items: SessionRecord[];
}

export function journey(name: string, options: JourneyOptions): void {
  suite(name, bound, () => tell(options));
}

function tell({ start, clear, backfillHours, sources }: JourneyOptions): void {
  let system: RunningSystem;
  let health: Health;
  let early: Awaited<ReturnType<typeof post>>;

  before(async () => {
    system = await start();
    early = await post(system.url, { userId: 'early', eventType: 'X', timestamp: Date.now() });
    health = (await get<Health>(`${system.url}/health`)).body;
    await untilReady(system.url);
  }, bound);
  after(async () => {
    await system?.end('SIGKILL');
    await clear();
  });

  const history = (userId: string) =>
    get<Items>(`${system.url}/api/sessions/history/${userId}`).then(({ body }) => body.items);

  function eventsOf(userId: string, startMs: number) {
    const page = (id: string, minutes: number, fields = {}) => ({
      eventId: `${userId}-${id}`,
      userId,
      eventType: 'PAGE_VIEW',
      timestamp: startMs + minutes * MINUTE_MS,
      page: `/${id}`,
      ...fields,
    });
    return {
      page,
      e: [page('e1', 0), page('e2', 1), page('e3', 26), page('e4', 27), page('e5', 62)],
    };
  }

  test('no event is taken while the past is filled in, and health says why', async () => {
    assert.equal(early.status, 503);
    assert.equal(health.status, 'degraded');
    assert.deepEqual(
      health.parts.find(({ name }) => name === 'intake'),
      { name: 'intake', status: 'degraded', reason: 'the past is being filled in' },
    );
    const { body } = await get<Health>(`${system.url}/health`);
    assert.equal(body.status, 'ok', JSON.stringify(body));
  });

  test(
    'an hour of history: two sessions, and one once a late event bridges them',
    bound,
    async () => {
      const userId = `bridged-${Date.now()}`;
      const { e, page } = eventsOf(userId, Date.now() - 180 * MINUTE_MS);
      assert.equal((await post(system.url, e)).body.accepted, 5);
      const two = await eventually(
        () => history(userId),
        ({ length }) => length === 2,
      );
      assert.deepEqual(
        two.map(({ eventCount, entryPage, exitPage }) => [eventCount, entryPage, exitPage]),
        [
          [1, '/e5', '/e5'],
          [4, '/e1', '/e4'],
        ],
      );
      const late = page('late', 45, { eventType: 'PURCHASE', amount: 59.9, currency: 'EUR' });
      await post(system.url, late);
      const [one] = await eventually(
        () => history(userId),
        ({ length }) => length === 1,
      );
      assert.equal(one!.eventCount, 6);
      assert.equal(one!.durationSeconds, 62 * 60);
      assert.deepEqual(one!.revenue, { EUR: 59.9 });
      for (const { sessionId } of two) {
        const { body } = await get<SessionRecord>(`${system.url}/api/sessions/${sessionId}`);
        assert.equal(body.sessionId, one!.sessionId);
        assert.equal(body.eventCount, 6);
      }
      const converted = await get<Items>(`${system.url}/api/sessions/converted?size=1000`);
      const mine = converted.body.items.filter((session) => session.userId === userId);
      assert.equal(mine.length, 1);
    },
  );

  test('sent one by one, and each twice: the same sessions', bound, async () => {
    const userId = `single-${Date.now()}`;
    const { e } = eventsOf(userId, Date.now() - 180 * MINUTE_MS);
    for (const event of [...e, ...e]) await post(system.url, event);
    const sessions = await eventually(
      () => history(userId),
      ([last, first]) => first?.eventCount === 4 && last?.eventCount === 1,
    );
    assert.equal(sessions.length, 2);
  });

  test('a live journey: what was written can be read at once', bound, async () => {
    const userId = `live-${Date.now()}`;
    const { e } = eventsOf(userId, Date.now() - 62 * MINUTE_MS);
    const { body } = await post(system.url, e);
    const answer = await fetch(`${system.url}/api/sessions/active/${userId}`, {
      headers: { 'lull-after': body.position },
    });
    const active = (await answer.json()) as SessionRecord & { source: string; asOf: string };
    assert.equal(active.state, 'active');
    assert.equal(active.eventCount, 1);
    assert.equal(active.entryPage, '/e5');
    assert.ok(sources.includes(active.source), active.source);
  });

  test('user-1 is live and has a history; the day looks like a shop', bound, async () => {
    const { body: active } = await get<SessionRecord>(`${system.url}/api/sessions/active/user-1`);
    assert.equal(active.state, 'active');
    assert.ok((await history('user-1')).length > backfillHours / 2);
    const { body: stats } = await get<Record<string, number>>(
      `${system.url}/api/analytics/stats?hours=24`,
    );
    assert.ok(stats['totalSessions']! > 400 * backfillHours);
    assert.ok(stats['averageDuration']! > 120 && stats['averageDuration']! < 240);
    assert.ok(stats['averageEventCount']! > 8 && stats['averageEventCount']! < 18);
    assert.ok(stats['conversionRate']! > 0.04 && stats['conversionRate']! < 0.1);
  });

  test('a second start goes on where the first was killed', bound, async () => {
    const before = await history('user-1');
    await system.end('SIGKILL');
    system = await start();
    await untilReady(system.url);
    assert.ok(!system.output().includes('Filling in'), 'nothing is filled in twice');
    const kept = new Set((await history('user-1')).map(({ sessionId }) => sessionId));
    assert.ok(before.every(({ sessionId }) => kept.has(sessionId)));
    const { body } = await get<SessionRecord>(`${system.url}/api/sessions/active/user-1`);
    assert.equal(body.state, 'active');
    assert.deepEqual(await system.end('SIGTERM'), [0, null]);
  });
}
