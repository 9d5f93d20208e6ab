/**
 * The streams that ran through the real Kafka Streams, now through both whole systems: each stream
 * is a partition of its own, with a clock of its own, and all of them run in one instance.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { partitionOf } from '../../src/core/hash.ts';
import { readTopic } from '../chaos/read-topic.ts';
import { CASES_ABSENT, type RandomCase, readRandomCases } from '../golden/cases.ts';
import {
  eventually,
  get,
  makeFolder,
  type RunningSystem,
  startServices,
  startSystem,
  untilReady,
} from '../support/running-system.ts';
import { startSharedServers, unlessSharedServers } from '../support/server-trio.ts';
import {
  type Row,
  readEmbedded,
  readEmbeddedRefusals,
  readWithPsql,
  refusalOf,
  SLICES,
} from './both-modes-rows.ts';

const GAP_MS = 30 * 60_000;
const GRACE_MS = 5 * 60_000;
const HOUR_MS = 3_600_000;
/** How far back each of them ends, so that the event beyond its end is no future one. */
const AGE_MS = HOUR_MS;
/** Nothing ends but by the clock of events, and that at once for good. */
const FLAGS = [
  ...['--gap', '30m', '--tiers', '5m', '--idle', '30d'],
  ...['--max-duration', '0s', '--max-events', '0', '--retain-sessions', '365d'],
];

/** One stream with its users renamed, so that all of them hash to its partition. */
interface Stream {
  readonly events: readonly object[];
  /** As `user start-end xcount`. */
  readonly sessions: readonly string[];
  /** Offsets of the events dropped as late. */
  readonly dropped: readonly number[];
}

function streamOf(one: RandomCase, partition: number, partitions: number, endMs: number): Stream {
  // Only the distances between its times count.
  const startMs = endMs - Math.max(...one.inputs.map(({ ts }) => ts));
  const named = new Map<string, string>();
  const nameOf = (key: string): string => {
    for (let number = 0; !named.has(key); number++) {
      const name = `${partition}-${key}-${number}`;
      if (partitionOf(name, partitions) === partition) named.set(key, name);
    }
    return named.get(key)!;
  };
  const eventOf = (key: string, timestamp: number, id: string) => {
    return { eventId: `${partition}-${id}`, userId: nameOf(key), eventType: 'CLICK', timestamp };
  };
  return {
    events: [
      ...one.inputs.map(({ key, ts, id }) => eventOf(key, startMs + ts, id)),
      // Moves the clock beyond every session, and stays open itself.
      eventOf('last', endMs + GAP_MS + GRACE_MS + 1, 'last'),
    ],
    sessions: one.expected_final_sessions.map(({ key, start, end, count }) =>
      told(nameOf(key), startMs + start, startMs + end, count),
    ),
    dropped: one.expected_dropped_inputs.map((id) =>
      one.inputs.findIndex((each) => each.id === id),
    ),
  };
}

function told(userId: string, startMs: number, endMs: number, count: number): string {
  return `${userId} ${startMs}-${endMs} x${count}`;
}

function toldRow({ session }: Row): string {
  const { user_id, start_time, end_time, event_count } = JSON.parse(session);
  return told(user_id, Date.parse(start_time), Date.parse(end_time), event_count);
}

async function feed({ url }: RunningSystem, streams: readonly Stream[]): Promise<void> {
  await untilReady(url);
  const events = streams.flatMap((stream) => stream.events);
  const answer = await fetch(`${url}/api/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(events),
  });
  const { accepted } = (await answer.json()) as { accepted: number };
  assert.deepEqual([answer.status, accepted], [202, events.length]);
  const count = streams.reduce((sum, { sessions }) => sum + sessions.length, 0);
  await eventually(
    () => get<{ totalSessions: number }>(`${url}/api/analytics/stats?hours=8760`),
    ({ body }) => body.totalSessions === count,
  );
}

test('both systems make of these streams what Kafka Streams makes of them', {
  skip: unlessSharedServers() || CASES_ABSENT,
  timeout: 600_000,
}, async (t) => {
  const cases = readRandomCases().filter(
    ({ gap_ms, grace_ms }) => gap_ms === GAP_MS && grace_ms === GRACE_MS,
  );
  assert.ok(cases.length > 512);
  const endMs = Date.now() - AGE_MS;
  const streams = cases.map((one, index) => streamOf(one, index, cases.length, endMs));
  const wanted = streams.flatMap(({ sessions }) => sessions).sort();
  const dropped = streams.map((stream) => stream.dropped);
  const flags = [...FLAGS, '--partitions', `${cases.length}`];
  const folder = makeFolder('peer-cases');
  t.after(() => folder.remove());
  const servers = await startSharedServers();
  t.after(() => servers.stop());
  t.diagnostic(`${cases.length} streams, ${wanted.length} sessions`);

  const dataDir = join(folder.path, 'embedded');
  const embedded = await startSystem('--no-simulate', '--data', dataDir, ...flags);
  t.after(() => embedded.end('SIGKILL'));
  await feed(embedded, streams);
  assert.deepEqual(await embedded.end('SIGTERM'), [0, null]);
  const embeddedRows: Row[] = [];
  await readEmbedded(dataDir, async (_slice, rows) => void embeddedRows.push(...rows));
  assert.deepEqual(embeddedRows.map(toldRow).sort(), wanted);
  const refused = await readEmbeddedRefusals(dataDir, cases.length);
  assert.deepEqual(refused.map(offsetsOf), dropped);

  const services = ['api-gateway', 'session-processor', 'session-analytics'];
  const data = ['--data', join(folder.path, 'distributed')];
  const distributed = await startServices(servers.environment, ...services, ...data, ...flags);
  t.after(() => distributed.end('SIGKILL'));
  await feed(distributed, streams);
  assert.deepEqual(await distributed.end('SIGTERM'), [0, null]);
  const rows: Row[] = [];
  for (let slice = 0; slice < SLICES; slice++) {
    rows.push(...(await readWithPsql(servers.environment['DATABASE_URL']!, slice)));
  }
  assert.deepEqual(rows.map(toldRow).sort(), wanted);
  const late = await readTopic(servers.kafka, 'late-events', cases.length);
  const refusals = late.map((records) => records.map(({ value }) => refusalOf(value)));
  assert.deepEqual(refusals.map(offsetsOf), dropped);
});

/** Of refusals as `offset reason`. */
function offsetsOf(refusals: readonly string[]): number[] {
  return refusals.map((refusal) => Number.parseInt(refusal, 10));
}
