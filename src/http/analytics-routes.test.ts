/** Series, breakdowns, totals and what was absorbed, as HTTP answers: their form and refusals. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { closed, merged } from '../../test/support/history-records.ts';
import { MemoryHistory } from '../../test/support/memory-history.ts';
import { type OpenGateway, openGateway } from '../../test/support/open-gateway.ts';
import { systemClock } from '../ops/clock.ts';

const NOW_MS = Date.parse('2026-11-24T10:20:00.000Z');
const to = 'to=2026-11-24T10:20:00.000Z';
const at = (time: string) => ({
  startTime: `2026-11-${time}.000Z`,
  endTime: `2026-11-${time}.000Z`,
});

let gateway: OpenGateway;
before(async () => {
  const history = new MemoryHistory();
  const bought = { hasConversion: true, revenue: { EUR: 10.5 }, durationSeconds: 60 };
  await history.apply(
    [
      closed('a', 1, { ...at('24T10:01:00'), device: 'mobile', durationSeconds: 10 }),
      closed('b', 1, { ...at('24T10:02:00'), device: 'mobile', ...bought }),
      closed('c', 1, { ...at('24T08:30:00'), device: null }),
      closed('d', 1, { ...at('23T23:30:00'), device: 'desktop' }),
      merged('old', 'a', 2),
    ],
    [],
  );
  gateway = await openGateway({ history, clock: { ...systemClock, nowMs: () => NOW_MS } });
});
after(() => gateway.close());

async function ask(path: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(`${gateway.url}${path}`);
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

async function values(query: string): Promise<unknown> {
  const { status, body } = await ask(`/api/analytics/timeseries?${query}`);
  assert.equal(status, 200, JSON.stringify(body));
  return (body['points'] as { start: string; values: unknown }[]).map((point) => [
    point.start.slice(11, 16),
    point.values,
  ]);
}

test('every interval has a point, and the window ends now unless told', async () => {
  const expected = [
    ['08:00', { sessions: 1 }],
    ['09:00', { sessions: 0 }],
    ['10:00', { sessions: 2 }],
  ];
  assert.deepEqual(await values('metric=sessions&hours=2'), expected);
  assert.deepEqual(await values(`metric=sessions&hours=2&${to}`), expected);
  assert.deepEqual(
    await values('metric=sessions&hours=1&to=2026-11-24T09:00:00Z'),
    expected.slice(0, 1),
  );
});

test('averages, rates and percentiles are null where no session ended', async () => {
  const rest = `hours=2&${to}`;
  assert.deepEqual(await values(`metric=conversionRate&${rest}`), [
    ['08:00', { conversionRate: 0 }],
    ['09:00', { conversionRate: null }],
    ['10:00', { conversionRate: 0.5 }],
  ]);
  assert.deepEqual(await values(`metric=averageDuration&hours=1&${to}`), [
    ['09:00', { averageDuration: null }],
    ['10:00', { averageDuration: 35 }],
  ]);
  assert.deepEqual(await values(`metric=duration&hours=1&${to}`), [
    ['09:00', { p50: null, p95: null, p99: null }],
    ['10:00', { p50: 10, p95: 60, p99: 60 }],
  ]);
  assert.deepEqual(await values(`metric=revenue&hours=1&${to}`), [
    ['09:00', { EUR: 0 }],
    ['10:00', { EUR: 10.5 }],
  ]);
});

test('days begin at the midnight of the reader', async () => {
  const days = (offset: number) =>
    values(`metric=sessions&interval=1d&hours=24&utcOffset=${offset}&${to}`);
  assert.deepEqual(await days(0), [
    ['00:00', { sessions: 1 }],
    ['00:00', { sessions: 3 }],
  ]);
  assert.deepEqual(await days(60), [
    ['23:00', { sessions: 0 }],
    ['23:00', { sessions: 4 }],
  ]);
});

test('a breakdown names the commonest values and the total', async () => {
  const { body } = await ask(`/api/analytics/breakdown?by=device&hours=24&limit=2&${to}`);
  assert.deepEqual(body, {
    by: 'device',
    unit: 'sessions',
    total: 4,
    items: [
      { value: 'mobile', count: 2, converted: 1 },
      { value: 'desktop', count: 1, converted: 0 },
    ],
  });
  const types = await ask(`/api/analytics/breakdown?by=eventType&hours=24&${to}`);
  assert.equal(types.body['unit'], 'events');
  assert.equal(types.body['total'], 4);
});

test('two years can be asked for, and not an hour more', async () => {
  const hours = 2 * 24 * 366;
  const days = `metric=sessions&interval=1d&${to}`;
  const points = (await values(`${days}&hours=${hours}`)) as unknown[];
  assert.equal(points.length, 2 * 366 + 1);
  assert.equal((await ask(`/api/analytics/breakdown?by=device&hours=${hours}`)).status, 200);
  for (const path of [`timeseries?${days}`, 'breakdown?by=device']) {
    const { status } = await ask(`/api/analytics/${path}&hours=${hours + 1}`);
    assert.equal(status, 400, path);
  }
});

test('what asks for too much, or for what is not there, is refused', async () => {
  for (const query of [
    'metric=nothing',
    'metric=sessions&interval=2h',
    'metric=sessions&interval=5m&hours=100',
    'metric=duration&interval=5m&hours=7',
    'metric=sessions&to=yesterday',
    'metric=sessions&hours=0',
    'metric=sessions&utcOffset=7',
    '',
  ]) {
    const { status, body } = await ask(`/api/analytics/timeseries?${query}`);
    assert.equal(status, 400, query);
    assert.equal((body['error'] as { code: string }).code, 'invalid_parameter', query);
  }
  assert.equal((await ask('/api/analytics/breakdown?by=password')).status, 400);
});

test("a user's totals, and zeros for one who is not known", async () => {
  const { body } = await ask('/api/users/user');
  assert.deepEqual(body, {
    userId: 'user',
    sessions: 4,
    events: 4,
    durationSeconds: 70,
    conversions: 1,
    revenue: { EUR: 10.5 },
    firstStart: '2026-11-23T23:30:00.000Z',
    lastEnd: '2026-11-24T10:02:00.000Z',
  });
  const nobody = await ask('/api/users/nobody');
  assert.equal(nobody.body['sessions'], 0);
  assert.equal(nobody.body['firstStart'], null);
});

test('a session names what it absorbed', async () => {
  assert.deepEqual((await ask('/api/sessions/a/absorbed')).body, { items: ['old'] });
  assert.deepEqual((await ask('/api/sessions/zzz/absorbed')).body, { items: [] });
});
