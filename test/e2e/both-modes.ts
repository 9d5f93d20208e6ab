/**
 * The same events into an embedded system and one on Kafka, Redis and PostgreSQL, and what they
 * come to held against each other: `node test/e2e/both-modes.ts --events 1000000 --seed N`.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { partitionOf } from '../../src/core/hash.ts';
import type { SentRecord, SessionRecord } from '../../src/core/output.ts';
import { readTopic } from '../chaos/read-topic.ts';
import type { RedisServer } from '../support/redis-server.ts';
import {
  eventually,
  get,
  makeFolder,
  type RunningSystem,
  startServices,
  startSystem,
  untilReady,
} from '../support/running-system.ts';
import { type SharedServers, startSharedServers } from '../support/server-trio.ts';
import { makeEvents } from './both-modes-events.ts';
import {
  type Row,
  readEmbedded,
  readEmbeddedRefusals,
  readWithPsql,
  refusalOf,
} from './both-modes-rows.ts';

const PARTITIONS = 8;
const HOUR_MS = 3_600_000;
/** Events lie in the past, so that what they come to depends on no time of arrival. */
const AGE_MS = 23 * HOUR_MS;
/** Gap and last tier, and a bit. */
const SETTLED_MS = 3.6 * HOUR_MS;
/** A usual gap; a short grace, for an ended session to close after a short silence. */
const FLAGS = [
  ...['--partitions', `${PARTITIONS}`, '--gap', '30m', '--tiers', '2s,1h,3h', '--idle', '2s'],
  ...['--max-events', '50', '--retain-sessions', '30d'],
];
const BATCH_EVENTS = 1000;
/** Whose sessions are live when all others are settled; some in each partition. */
const LAST_USERS_EACH = 8;

export interface CompareOptions {
  readonly events: number;
  readonly seed: number;
  readonly tell: (line: string) => void;
}

/** What there was to hold against each other. */
export interface Findings {
  readonly events: number;
  readonly sessions: number;
  readonly late: number;
  readonly duplicates: number;
  readonly merged: number;
  readonly amended: number;
  readonly ended: number;
  readonly capped: number;
}

/** Rejects with the first difference. */
export async function compareModes(options: CompareOptions): Promise<Findings> {
  const folder = makeFolder('both-modes');
  const servers = await startSharedServers();
  const systems: RunningSystem[] = [];
  const dataDir = join(folder.path, 'embedded');
  try {
    const services = ['api-gateway', 'session-processor', 'session-analytics'];
    const started = await Promise.all([
      startSystem('--no-simulate', '--data', dataDir, ...FLAGS),
      startServices(
        servers.environment,
        ...[...services, '--data', join(folder.path, 'distributed'), ...FLAGS],
      ),
    ]);
    systems.push(...started);
    const [embedded, distributed] = started;
    const events = await feed(options, embedded, distributed, servers.redis);
    for (const system of systems.splice(0)) {
      assert.deepEqual(await system.end('SIGTERM'), [0, null], system.output());
    }
    options.tell('both have ended');
    return { events, ...(await compareKept(options, servers, dataDir)) };
  } catch (error) {
    for (const system of systems) options.tell(system.output().slice(-4000));
    throw error;
  } finally {
    await Promise.all(systems.map((system) => system.end('SIGKILL')));
    await servers.stop();
    folder.remove();
  }
}

/** Sends all events to both, the last of which settle all others; resolves with their number. */
async function feed(
  { events, seed, tell }: CompareOptions,
  embedded: RunningSystem,
  distributed: RunningSystem,
  redis: RedisServer,
): Promise<number> {
  const urls = [embedded.url, distributed.url];
  await Promise.all(urls.map(untilReady));
  const startMs = Date.now() - AGE_MS;
  tell(`${events} events, seed ${seed}, from ${new Date(startMs).toISOString()}`);
  let [count, lastMs] = [0, startMs];
  let batch: string[] = [];
  for (const { json, timestamp } of makeEvents({ events, seed, startMs })) {
    count++;
    lastMs = Math.max(lastMs, timestamp);
    if (batch.push(json) < BATCH_EVENTS) continue;
    await postToEach(urls, batch);
    batch = [];
    if (count % 100_000 === 0) tell(`${count} sent`);
  }
  if (batch.length > 0) await postToEach(urls, batch);

  const users = lastUsers();
  const closing = (eventType: string, timeMs: number) =>
    users.map((userId, index) => {
      const [eventId, timestamp] = [`${eventType}-${index}`, timeMs + index];
      return JSON.stringify({ eventId, userId, eventType, timestamp, page: '/last' });
    });
  await postToEach(urls, closing('PAGE_VIEW', lastMs + SETTLED_MS));
  await compareLive(embedded, distributed, redis, new Set(users));
  tell('the same sessions are live in both');

  await postToEach(urls, closing('SESSION_END', lastMs + SETTLED_MS + 1000));
  // Silence closes them, after all others of their partitions.
  for (const url of urls) {
    for (const userId of users) {
      await eventually(
        () => get<{ items: SessionRecord[] }>(`${url}/api/sessions/history/${userId}`),
        ({ body }) => body.items.length === 1,
      );
    }
  }
  await compareLive(embedded, distributed, redis, new Set());
  return count + 2 * users.length;
}

/** Batch by batch, so that both logs have the same records at the same offsets. */
async function postToEach(urls: readonly string[], lines: readonly string[]): Promise<void> {
  const body = lines.join('\n');
  await Promise.all(
    urls.map(async (url) => {
      const answer = await fetch(`${url}/api/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body,
      });
      const { accepted } = (await answer.json()) as { accepted?: number };
      assert.deepEqual([answer.status, accepted], [202, lines.length]);
    }),
  );
}

function lastUsers(): string[] {
  const users = Array.from({ length: PARTITIONS }, (): string[] => []);
  for (let number = 0; users.some(({ length }) => length < LAST_USERS_EACH); number++) {
    const own = users[partitionOf(`last-${number}`, PARTITIONS)]!;
    if (own.length < LAST_USERS_EACH) own.push(`last-${number}`);
  }
  return users.flat();
}

/** Once only these users have live sessions: the same in both, and in Redis itself. */
async function compareLive(
  embedded: RunningSystem,
  distributed: RunningSystem,
  redis: RedisServer,
  users: ReadonlySet<string>,
): Promise<void> {
  const isSettled = (live: readonly Live[]) =>
    live.length === users.size && live.every(({ userId }) => users.has(userId));
  const [one, other] = await Promise.all(
    [embedded, distributed].map(({ url }) => eventually(() => readLive(url), isSettled)),
  );
  const finals = (live: readonly Live[]) =>
    live.map(({ sessionId, firstArrival, lastArrival, source, asOf, ...rest }) => rest);
  assert.deepEqual(finals(other!), finals(one!), 'live sessions of both');
  const shown = other!.map(({ userId, sessionId, endTime, eventCount }) =>
    [userId, sessionId, Date.parse(endTime), eventCount].join(' '),
  );
  assert.deepEqual((await readRedis(redis)).sort(), shown.sort(), 'live sessions in Redis');
}

type Live = SessionRecord & { readonly source: string; readonly asOf: string };

async function readLive(url: string): Promise<Live[]> {
  const { body } = await get<{ items: Live[]; nextCursor: string | null }>(
    `${url}/api/sessions/active?limit=1000`,
  );
  return body.items.sort((one, other) => (one.userId < other.userId ? -1 : 1));
}

/** The first line of each value, which docs/redis.md describes; a marker's is shorter. */
const HEADERS = `
local lines = {}
for _, key in ipairs(redis.call('KEYS', '*:user:*')) do
  local value = redis.call('GET', key)
  local line = string.sub(value, 1, string.find(value, '\\n', 1, true) - 1)
  lines[#lines + 1] = string.match(key, ':user:(.*)$') .. ' ' .. line
end
return lines`;

async function readRedis(redis: RedisServer): Promise<string[]> {
  const printed = await redis.cli('EVAL', HEADERS, '0');
  return printed.split('\n').flatMap((line) => {
    const [, userId, header] = /^(\S+) (\[.*\])$/.exec(line) ?? [];
    if (header === undefined) return [];
    const [, , , endMs, eventCount, , , sessionId] = JSON.parse(header);
    return endMs === undefined ? [] : [[userId, sessionId, endMs, eventCount].join(' ')];
  });
}

/** Rows by psql against the embedded ones, Kafka's topics by its own consumer against both. */
async function compareKept(
  { tell }: CompareOptions,
  { kafka, environment }: SharedServers,
  dataDir: string,
): Promise<Omit<Findings, 'events'>> {
  const [topic, lateTopic] = await Promise.all([
    readTopic(kafka, 'sessions', PARTITIONS),
    readTopic(kafka, 'late-events', PARTITIONS),
  ]);
  const late = lateTopic.map((records) => records.map(({ value }) => refusalOf(value)));
  assert.deepEqual(late, await readEmbeddedRefusals(dataDir, PARTITIONS), 'late events');

  const sent = topic
    .flat()
    .map(({ value }) => JSON.parse(Buffer.from(value).toString()) as SentRecord);
  const kept: string[] = [];
  const closedBy: Record<string, number> = {};
  let [duplicates, sentOtherwise] = [0, 0];
  await readEmbedded(dataDir, async (slice, embeddedRows) => {
    const rows = await readWithPsql(environment['DATABASE_URL']!, slice);
    for (const [index, row] of rows.entries()) {
      const other = embeddedRows[index];
      assert.deepEqual(finalOf(row), finalOf(other), `row ${index} of slice ${slice}`);
      if (!isDeepStrictEqual(row.sent, other?.sent)) sentOtherwise++;
    }
    assert.equal(rows.length, embeddedRows.length, `rows of slice ${slice}`);
    for (const row of rows) {
      const { close_reason: reason } = finalOf(row) as { close_reason: string };
      closedBy[reason] = (closedBy[reason] ?? 0) + 1;
      duplicates += row.sent.duplicates;
      kept.push(`${row.sessionId} ${row.sent.revision} ${row.sent.state}`);
    }
  });
  tell(`${kept.length} rows are the same; ${sentOtherwise} of them were sent in other steps`);
  const newest = new Map(sent.map((record) => [record.sessionId, record]));
  const wanted = [...newest.values()]
    .filter(({ state }) => state !== 'merged')
    .map(({ sessionId, revision, state }) => `${sessionId} ${revision} ${state}`);
  assert.deepEqual(kept.sort(), wanted.sort(), 'rows, and the newest records of the topic');
  const inState = (state: string) => sent.filter((record) => record.state === state).length;
  return {
    sessions: kept.length,
    late: late.flat().length,
    duplicates,
    merged: inState('merged'),
    amended: inState('amended'),
    ended: closedBy['explicit'] ?? 0,
    capped: closedBy['max_events'] ?? 0,
  };
}

function finalOf(row: Row | undefined): unknown {
  return row === undefined ? undefined : JSON.parse(row.session);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      events: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    },
  });
  const findings = await compareModes({
    ...{ events: Number(values.events), seed: Number(values.seed) },
    tell: (line) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`),
  });
  console.log(`the same sessions in both: ${JSON.stringify(findings)}`);
}
