/** Whole runs: sessions from files, in memory and through temporary files, in threads and not. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { fileOf, parsed, run } from '../../test/support/run-sessionize.ts';
import { seededRandom } from '../../test/support/seeded-random.ts';
import { type EventInput, sessionize } from '../core/sessionize.ts';
import { systemClock } from '../ops/clock.ts';
import type { SessionizeOptions } from './options.ts';

const JOURNEY = [
  'user_id,timestamp,event_type,page,event_id,amount,currency',
  'u1,2026-11-23 10:00:00,PAGE_VIEW,/,1,,',
  'u1,2026-11-23 10:30:00,PAGE_VIEW,"/a,b",2,,',
  'u2,2026-11-23 10:10:00,PAGE_VIEW,/,3,,',
  'u1,2026-11-23 11:00:01,PURCHASE,/thanks,4,59.90,eur',
  'u1,2026-11-23 10:30:00,PAGE_VIEW,"/a,b",2,,',
  '',
].join('\n');

test('sessions by user and start, joined at exactly the gap and not beyond it', async () => {
  const { totals, out, said } = await run([fileOf(JOURNEY)]);
  const told = parsed(out).map(({ userId, startTime, endTime, eventCount, duplicateCount }) =>
    [userId, startTime.slice(11, 19), endTime.slice(11, 19), eventCount, duplicateCount].join(' '),
  );
  assert.deepEqual(told, [
    'u1 10:00:00 10:30:00 2 1',
    'u1 11:00:01 11:00:01 1 0',
    'u2 10:10:00 10:10:00 1 0',
  ]);
  assert.deepEqual(totals, { events: 5, sessions: 3, rejected: 0 });
  assert.match(said, /user = user_id, time = timestamp, id = event_id, type = event_type/);
  assert.match(said, /5 events, 3 sessions/);
});

test('what could still go on when the data ends is active, the rest closed', async () => {
  const told = parsed((await run([fileOf(JOURNEY)])).out).map(
    ({ userId, state, tier, closeReason, revision }) =>
      [userId, state, tier, closeReason, revision].join(' '),
  );
  assert.deepEqual(told, ['u1 active   0', 'u1 active   0', 'u2 closed 5m inactivity 1']);
});

test('figures are those of the core: money, conversion, pages', async () => {
  const [first, second] = parsed((await run([fileOf(JOURNEY)])).out);
  assert.deepEqual(first.eventCounts, { PAGE_VIEW: 2 });
  assert.deepEqual([first.entryPage, first.exitPage], ['/', '/a,b']);
  assert.deepEqual(second.revenue, { EUR: 59.9 });
  assert.equal(second.hasConversion, true);
});

/** Events of a few users in bursts, some with the same time, some twice. */
function randomEvents(seed: number, count: number): EventInput[] {
  const random = seededRandom(seed);
  const pick = <T>(values: readonly T[]) => values[Math.floor(random() * values.length)]!;
  let timeMs = Date.UTC(2026, 10, 23);
  const events: EventInput[] = [];
  while (events.length < count) {
    timeMs += pick([0, 0, 1000, 60_000, 1_800_000, 1_800_001]);
    const event = {
      userId: `user-${Math.floor(random() ** 2 * 40)}`,
      eventType: pick(['PAGE_VIEW', 'CLICK', 'PURCHASE', 'ADD_TO_CART', 'SESSION_END']),
      timestamp: new Date(timeMs).toISOString(),
      page: pick(['/', '/a', '/b?c="d"']),
      ...(random() < 0.7 ? { eventId: `e${events.length}` } : {}),
      ...(random() < 0.3 ? { amount: Math.floor(random() * 1e4) / 100, currency: 'EUR' } : {}),
    };
    events.push(event);
    if (random() < 0.05) events.push(event);
  }
  return events;
}

function ndjsonOf(events: readonly EventInput[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join('');
}

const CSV_KEYS = ['userId', 'eventType', 'timestamp', 'page', 'eventId', 'amount', 'currency'];

function csvOf(events: readonly EventInput[], delimiter = ',', lineEnd = '\n'): string {
  const quoted = (value: unknown) => `"${String(value ?? '').replaceAll('"', '""')}"`;
  const rows = events.map((event) => CSV_KEYS.map((key) => quoted(event[key])).join(delimiter));
  return [CSV_KEYS.join(delimiter), ...rows].map((row) => row + lineEnd).join('');
}

function shuffled<T>(values: readonly T[], seed: number): T[] {
  const random = seededRandom(seed);
  const result = [...values];
  for (let at = result.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [result[at], result[other]] = [result[other]!, result[at]!];
  }
  return result;
}

const SEED = Math.floor(systemClock.nowMs());
const EVENTS = randomEvents(SEED, 3000);

test(`the sessions are those of the library (seed ${SEED})`, async () => {
  const withIds = EVENTS.map((event, index) => ({ eventId: `n${index}`, ...event }));
  const { out } = await run([fileOf(ndjsonOf(withIds), '.ndjson')]);
  const shape = (record: Record<string, unknown>) => {
    // What depends on where the stream is, not on the events.
    const { sessionId, previousSessionId, state, tier, revision, closeReason, ...rest } = record;
    return rest;
  };
  const byUser = (one: { userId: string; startTime: string }, other: typeof one) =>
    one.userId < other.userId || (one.userId === other.userId && one.startTime < other.startTime)
      ? -1
      : 1;
  const expected = sessionize(withIds).sort(byUser);
  assert.ok(expected.some((session) => session.duplicateCount > 0));
  assert.ok(expected.some((session) => session.closeReason === 'explicit'));
  assert.deepEqual(
    parsed(out).map(shape),
    JSON.parse(JSON.stringify(expected.map(shape as never))),
  );
});

test(`shuffled, spilled, in threads, in any format: the same bytes (seed ${SEED})`, async () => {
  const { out } = await run([fileOf(ndjsonOf(EVENTS), '.ndjson')]);
  const rows = shuffled(EVENTS, SEED);
  const before = readdirSync(tmpdir()).filter((name) => name.endsWith('.tmp'));
  const csv = fileOf(csvOf(rows));
  const many = ['', '\r\n'].flatMap((lineEnd, part) =>
    fileOf(
      csvOf(
        rows.filter((_, index) => index % 2 === part),
        ';',
        lineEnd || '\n',
      ),
    ),
  );
  const ways: [string, readonly string[], Partial<SessionizeOptions>, Readable?][] = [
    ['CSV, shuffled', [csv], {}],
    ['two files of another dialect', many, {}],
    ['spilled after every block', [csv], { memoryBytes: 0 }],
    ['gzip', [fileOf(gzipSync(csvOf(rows)), '.bin')], {}],
    ['two members of gzip', [fileOf(Buffer.concat(gzipped(csvOf(rows))), '.gz')], {}],
    ['standard input', ['-'], {}, Readable.from(pieces(csvOf(rows)))],
    ['standard input, gzip', ['-'], {}, Readable.from(pieces(gzipSync(csvOf(rows))))],
    ['standard input, spilled', ['-'], { memoryBytes: 0 }, Readable.from(pieces(csvOf(rows)))],
    ['standard input, one thread', ['-'], { threads: 1 }, Readable.from(pieces(csvOf(rows)))],
    ['standard input, three', ['-'], { threads: 3 }, Readable.from(pieces(csvOf(rows)))],
  ];
  for (const [name, inputs, options, stdin] of ways) {
    assert.equal((await run(inputs, options, stdin)).out, out, name);
  }
  const afterwards = readdirSync(tmpdir()).filter((name) => name.endsWith('.tmp'));
  assert.deepEqual(afterwards, before, 'no temporary file is left');
});

function gzipped(text: string): Uint8Array[] {
  return [gzipSync(text.slice(0, 1000)), gzipSync(text.slice(1000))];
}

function pieces(content: string | Uint8Array): Uint8Array[] {
  const bytes = Buffer.from(content);
  const sizes = [1, 3, 1000, 70_000];
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += sizes[(parts.length - 1) % 4]!) {
    parts.push(bytes.subarray(at, at + sizes[parts.length % 4]!));
  }
  return parts;
}

test('many spills are merged in steps and give the same bytes', async () => {
  // More blocks than runs that are merged at a time; each block spills.
  const events = randomEvents(7, 4000);
  const inputs = Array.from({ length: 80 }, (_, part) =>
    fileOf(csvOf(events.filter((_, index) => index % 80 === part))),
  );
  const whole = await run([fileOf(csvOf(events))]);
  assert.equal((await run(inputs, { memoryBytes: 0 })).out, whole.out);
});
