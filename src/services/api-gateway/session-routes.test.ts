/** Reading sessions over HTTP: from the live cache, the state and history. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { MemoryHistory } from '../../../test/support/memory-history.ts';
import { makeSession, type OpenGateway, openGateway } from '../../../test/support/open-gateway.ts';
import { partitionOf } from '../../core/hash.ts';
import type { SentRecord, SessionRecord } from '../../core/output.ts';
import { type Clock, systemClock } from '../../ops/clock.ts';

const MINUTE_MS = 60_000;
const NOW_MS = Date.parse('2026-11-23T12:00:00.000Z');
const at = (minutesAgo: number) => new Date(NOW_MS - minutesAgo * MINUTE_MS).toISOString();
const idOf = (number: number) => number.toString(16).padStart(32, '0');

const clock: Clock = { ...systemClock, nowMs: () => NOW_MS };
/** What the processor would answer: sessions by user, and offsets that can be seen. */
const state = new Map<string, SessionRecord[]>();
let visibleOffset = -1;
const waits: [partition: number, offset: number][] = [];

const history = new MemoryHistory();
let gateway: OpenGateway;

const closedSession = (
  number: number,
  endsMinutesAgo: number,
  parts: Partial<SessionRecord> = {},
) =>
  makeSession({
    sessionId: idOf(number),
    userId: 'reader',
    state: 'closed',
    revision: 1,
    tier: '5m',
    closeReason: 'inactivity',
    startTime: at(endsMinutesAgo + 3),
    endTime: at(endsMinutesAgo),
    durationSeconds: 180,
    eventCount: 12,
    ...parts,
  });

const CLOSED: readonly SentRecord[] = [
  closedSession(1, 600),
  closedSession(2, 400, { hasConversion: true, purchases: 1 }),
  closedSession(3, 200, { eventCount: 8, durationSeconds: 60 }),
  closedSession(4, 50),
  closedSession(5, 30 * 60, { userId: 'a/b ü%?#', hasConversion: true, purchases: 1 }),
  closedSession(6, 90, { userId: 'ended', closeReason: 'explicit' }),
  { sessionId: idOf(7), userId: 'reader', state: 'merged', mergedInto: idOf(3), revision: 2 },
  { sessionId: idOf(8), userId: 'shopper', state: 'merged', mergedInto: idOf(20), revision: 2 },
];

const LIVE: readonly SessionRecord[] = [
  makeSession({
    sessionId: idOf(20),
    userId: 'shopper',
    endTime: at(1),
    eventCount: 9,
    addToCarts: 2,
  }),
  makeSession({
    sessionId: idOf(21),
    userId: 'buyer',
    endTime: at(12),
    eventCount: 30,
    addToCarts: 1,
    hasConversion: true,
  }),
  makeSession({ sessionId: idOf(22), userId: 'a/b ü%?#', endTime: at(7), device: 'desktop' }),
];

before(async () => {
  await history.apply(CLOSED, [{ logId: 'sessions', partition: 0, nextOffset: CLOSED.length }]);
  gateway = await openGateway({
    clock,
    history,
    query: {
      sessionsOf: async (userId) => ({
        sessions: state.get(userId) ?? [],
        source: 'state',
        asOfMs: clock.nowMs(),
      }),
      waitVisible: async (partition, offset) => {
        waits.push([partition, offset]);
        return offset <= visibleOffset ? 'published' : null;
      },
    },
  });
  for (const session of LIVE) await gateway.publish(session.userId, session);
});
after(() => gateway.close());

async function ask(path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${gateway.url}${path}`, { headers });
  return {
    status: response.status,
    headers: response.headers,
    ...((await response.json()) as Answer),
  };
}

interface Answer extends SessionRecord {
  readonly source: string;
  readonly asOf: string;
  readonly items: SessionRecord[];
  readonly nextCursor: string | null;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string };
}

const active = (userId: string, headers?: Record<string, string>) =>
  ask(`/api/sessions/active/${encodeURIComponent(userId)}`, headers);

test('a live session is answered whole, with where it came from and how fresh it is', async () => {
  const { status, headers, source, asOf, ...session } = await active('shopper');
  assert.equal(status, 200);
  assert.match(headers.get('content-type') ?? '', /^application\/json/);
  assert.deepEqual(session, LIVE[0]);
  assert.equal(source, 'process');
  assert.equal(asOf, new Date(NOW_MS).toISOString());
});

test('a user id is any text that is percent-encoded', async () => {
  assert.equal((await active('a/b ü%?#')).sessionId, idOf(22));
});

test('what only the state knows to be live is answered from there', async () => {
  const session = makeSession({ sessionId: idOf(30), userId: 'restored', endTime: at(2) });
  state.set('restored', [session]);
  const { status, headers, source, asOf, ...answered } = await active('restored');
  assert.deepEqual([status, source, asOf], [200, 'state', at(0)]);
  assert.ok(headers.has('content-type'));
  assert.deepEqual(answered, session);
});

test('a user never seen is told from one whose session closed', async () => {
  const unknown = await active('nobody');
  assert.deepEqual([unknown.status, unknown.error.code], [404, 'user_unknown']);
  const closed = await active('reader');
  assert.deepEqual([closed.status, closed.error.code], [404, 'session_closed']);
  // It ended 50 minutes ago, and was closed by 30 minutes of silence and 5 of grace.
  assert.match(closed.error.message, /closed 15 min ago/);
  assert.match(closed.error.hint, /\/api\/sessions\/history\/reader/);
  assert.match((await active('ended')).error.message, /closed 90 min ago/);
  state.set('just closed', [closedSession(31, 36, { userId: 'just closed' })]);
  const unsettled = await active('just closed');
  assert.match(unsettled.error.message, /closed 1 min ago/);
  assert.match(unsettled.error.hint, /history\/just%20closed/);
});

test('user ids are bounded at 256 bytes', async () => {
  for (const path of ['active', 'history']) {
    const fits = await ask(`/api/sessions/${path}/${encodeURIComponent('ä'.repeat(128))}`);
    assert.ok(fits.status === 404 || fits.status === 200);
    for (const long of ['ä'.repeat(129), 'a'.repeat(257), 'a'.repeat(3000)]) {
      const answer = await ask(`/api/sessions/${path}/${encodeURIComponent(long)}`);
      assert.deepEqual([answer.status, answer.error.code], [400, 'invalid_parameter']);
    }
  }
});

test('live sessions are listed by filter, latest event first, in pages', async () => {
  const users = async (query: string) =>
    (await ask(`/api/sessions/active${query}`)).items.map(({ userId }) => userId);
  assert.deepEqual(await users(''), ['shopper', 'a/b ü%?#', 'buyer']);
  assert.deepEqual(await users('?minEvents=9'), ['shopper', 'buyer']);
  assert.deepEqual(await users('?minIdle=5m'), ['a/b ü%?#', 'buyer']);
  assert.deepEqual(await users('?minIdle=600'), ['buyer']);
  assert.deepEqual(await users('?minIdle=0'), ['shopper', 'a/b ü%?#', 'buyer']);
  assert.deepEqual(await users('?hasCart=true&hasConversion=false'), ['shopper']);
  assert.deepEqual(await users('?device=desktop'), ['a/b ü%?#']);
  const first = await ask('/api/sessions/active?limit=2');
  assert.equal(first.items.length, 2);
  const second = await ask(`/api/sessions/active?limit=2&cursor=${first.nextCursor}`);
  assert.deepEqual(
    [second.items.map(({ userId }) => userId), second.nextCursor],
    [['buyer'], null],
  );
});

test("a user's history comes newest first, in pages, and is empty for others", async () => {
  const first = await ask('/api/sessions/history/reader?limit=3');
  assert.deepEqual(first.items, [CLOSED[3], CLOSED[2], CLOSED[1]]);
  const second = await ask(`/api/sessions/history/reader?limit=3&cursor=${first.nextCursor}`);
  assert.deepEqual([second.items, second.nextCursor], [[CLOSED[0]], null]);
  const none = await ask('/api/sessions/history/nobody');
  assert.deepEqual([none.status, none.items, none.nextCursor], [200, [], null]);
});

test('converted sessions come newest first, in pages', async () => {
  const first = await ask('/api/sessions/converted?size=1');
  assert.deepEqual(first.items, [CLOSED[1]]);
  const second = await ask(`/api/sessions/converted?size=1&cursor=${first.nextCursor}`);
  assert.deepEqual([second.items, second.nextCursor], [[CLOSED[4]], null]);
});

test('one session by its id: live, closed, absorbed, unknown', async () => {
  const byId = (id: string) => ask(`/api/sessions/${id}`);
  const live = await byId(idOf(20));
  assert.deepEqual([live.status, live.userId, live.source], [200, 'shopper', 'process']);
  const closed = await byId(idOf(1));
  assert.deepEqual([closed.status, closed.sessionId, closed.source], [200, idOf(1), 'history']);
  assert.equal((await byId(idOf(7))).sessionId, idOf(3));
  assert.equal((await byId(idOf(8))).sessionId, idOf(20));
  const unknown = await byId('no-such-session');
  assert.deepEqual([unknown.status, unknown.error.code], [404, 'session_unknown']);
});

test('the figures of the last hours', async () => {
  const stats = async (query: string) => {
    const { status, headers, ...figures } = await ask(`/api/analytics/stats${query}`);
    assert.equal(status, 200);
    assert.ok(headers.has('content-type'));
    return figures as unknown;
  };
  assert.deepEqual(await stats('?hours=4'), {
    totalSessions: 3,
    averageDuration: 140,
    averageEventCount: 32 / 3,
    conversionCount: 0,
    conversionRate: 0,
  });
  assert.deepEqual(await stats(''), await stats('?hours=24'));
  assert.equal(((await stats('?hours=48')) as { totalSessions: number }).totalSessions, 6);
  assert.deepEqual(await stats('?hours=0.5'), {
    totalSessions: 0,
    averageDuration: 0,
    averageEventCount: 0,
    conversionCount: 0,
    conversionRate: 0,
  });
});

test('what the processor holds of a user', async () => {
  const answer = await ask('/state/restored');
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.items, state.get('restored'));
  assert.deepEqual((await ask('/state/nobody')).items, []);
});

test('a read waits for the write that it names: of its own partition, or of all', async () => {
  const event = (userId: string) => ({ userId, eventType: 'A', timestamp: NOW_MS });
  const users = ['shopper', 'buyer', 'reader', 'p', 'q', 'r', 's', 't'];
  const response = await fetch(`${gateway.url}/api/events`, {
    method: 'POST',
    body: JSON.stringify(users.map(event)),
  });
  const { position } = (await response.json()) as { position: string };
  const after = { 'lull-after': position };

  waits.length = 0;
  visibleOffset = 1000;
  assert.equal((await active('shopper', after)).status, 200);
  assert.equal(waits.length, 1);
  const partition = partitionOf('shopper', gateway.events.partitionCount);
  assert.deepEqual(waits[0], [partition, gateway.events.endOffset(partition) - 1]);
  waits.length = 0;
  assert.equal((await ask(`/api/sessions/${idOf(20)}`, after)).status, 200);
  assert.equal(waits.length, new Set(users.map((user) => partitionOf(user, 4))).size);

  visibleOffset = -1;
  for (const path of ['active/shopper', idOf(20)]) {
    const pending = await ask(`/api/sessions/${path}`, after);
    assert.deepEqual([pending.status, pending.error.code], [503, 'position_pending']);
    assert.match(pending.headers.get('retry-after') ?? '', /^\d+$/);
  }
  const wrong = await active('shopper', { 'lull-after': 'nonsense' });
  assert.deepEqual([wrong.status, wrong.error.code], [400, 'invalid_parameter']);
});

const WRONG: readonly [path: string, named: string][] = [
  ['/api/sessions/active?limit=0', 'limit'],
  ['/api/sessions/active?limit=1001', 'limit'],
  ['/api/sessions/active?limit=ten', 'limit'],
  ['/api/sessions/active?limit=1&limit=2', 'limit'],
  ['/api/sessions/active?limit=', 'limit'],
  ['/api/sessions/active?minEvents=-1', 'minEvents'],
  ['/api/sessions/active?minEvents=1.5', 'minEvents'],
  ['/api/sessions/active?minIdle=soon', 'minIdle'],
  ['/api/sessions/active?hasCart=maybe', 'hasCart'],
  ['/api/sessions/converted?size=0', 'size'],
  ['/api/sessions/history/reader?limit=1e9', 'limit'],
  ['/api/analytics/stats?hours=0', 'hours'],
  ['/api/analytics/stats?hours=-1', 'hours'],
  ['/api/analytics/stats?hours=NaN', 'hours'],
  ['/api/analytics/stats?hours=8785', 'hours'],
  ['/api/stream/sessions?state=open', 'state'],
  [`/api/sessions/active?device=${'x'.repeat(600)}`, 'device'],
];
for (const [path, named] of WRONG) {
  test(`refused, naming ${named}: ${path.slice(0, 60)}`, async () => {
    const { status, error } = await ask(path);
    assert.deepEqual([status, error.code], [400, 'invalid_parameter']);
    assert.ok(error.message.startsWith(named), error.message);
    assert.ok(error.hint.includes(named), error.hint);
  });
}

test('a parameter that is misspelt is refused, not ignored', async () => {
  for (const path of [
    ...['/api/sessions/active?hascart=true', '/api/sessions/history/reader?size=1'],
    ...['/api/sessions/converted?limit=1', '/api/analytics/stats?hour=1'],
    '/api/stream/sessions?states=closed',
  ]) {
    const { status, error } = await ask(path);
    assert.deepEqual([status, error.code], [400, 'invalid_parameter']);
    assert.match(error.message, /^(hascart|size|limit|hour|states) is no parameter/);
  }
});

test('cursors that are not ours are refused', async () => {
  const foreign = Buffer.from('{"a":1}').toString('base64url');
  for (const path of ['active', 'history/reader', 'converted']) {
    for (const cursor of ['x', foreign, '%00', 'a'.repeat(5000)]) {
      const { status, error } = await ask(`/api/sessions/${path}?cursor=${cursor}`);
      assert.equal(status, 400, `${path} ${cursor.slice(0, 20)}`);
      assert.ok(['invalid_cursor', 'invalid_parameter'].includes(error.code));
    }
  }
});
