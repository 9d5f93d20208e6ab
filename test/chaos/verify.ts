/**
 * Holds what a distributed system sent and kept against the naive model of the same log, which
 * reads it once, undisturbed: every topic through Kafka's own consumer, the rows through SQL.
 */
import assert from 'node:assert/strict';
import { Client } from 'pg';
import type { SessionDefinition } from '../../src/core/definition.ts';
import type { SentRecord, SessionRecord } from '../../src/core/output.ts';
import { openPostgresHistory } from '../../src/history/postgres.ts';
import type { LogRecord } from '../../src/log/log.ts';
import { systemClock } from '../../src/ops/clock.ts';
import { checkRevisions, compareEach, finals } from '../simulate/model-check.ts';
import { PartitionModel } from '../simulate/partition-model.ts';
import type { KafkaCluster } from '../support/kafka-broker.ts';
import { readTopic } from './read-topic.ts';

export interface Verified {
  readonly kafka: KafkaCluster;
  readonly databaseUrl: string;
  readonly definition: SessionDefinition;
  readonly logId: string;
  readonly partitionCount: number;
  /** Ids of the events that were acknowledged. */
  readonly acknowledged: ReadonlySet<string>;
  /** Users whose sessions are not settled: of the last events. */
  readonly lastUsers: ReadonlySet<string>;
}

/** What there was to hold against each other, for the report. */
export interface Findings {
  readonly events: number;
  readonly sessions: number;
  readonly late: number;
  readonly duplicates: number;
  readonly merged: number;
  readonly amended: number;
}

/** Rejects with the first difference. Everything but `lastUsers` must be settled. */
export async function verify(verified: Verified): Promise<Findings> {
  const { kafka, partitionCount, acknowledged } = verified;
  const events = await readTopic(kafka, 'user-events', partitionCount);
  const logged = new Set(events.flat().map((record) => parsed(record)['eventId']));
  const lost = [...acknowledged].filter((id) => !logged.has(id));
  assert.deepEqual(lost, [], 'acknowledged events that are not in the log');

  const models = events.map((records, partition) => modelOf(verified, partition, records));
  const sent = (await readTopic(kafka, 'sessions', partitionCount)).map((records) =>
    records.map((record) => parsed(record) as unknown as SentRecord),
  );
  for (const [partition, model] of models.entries()) {
    const isSettled = ({ userId }: { userId: string }) => !verified.lastUsers.has(userId);
    checkRevisions(sent[partition]!);
    const wanted = model.oracle.sent.filter(isSettled);
    compareEach(partition, finals(sent[partition]!.filter(isSettled)), finals(wanted));
  }
  const late = await refusals(verified, 'late-events');
  assert.deepEqual(
    late,
    models.map((model) => model.late),
  );
  const rejected = await refusals(verified, 'rejected-events');
  assert.deepEqual(
    rejected,
    models.map((model) => model.rejected),
  );
  const rows = await checkRows(verified, sent.flat());
  assert.equal(await wrongBuckets(verified.databaseUrl), 0, 'buckets of the rollup');
  const fates = (name: string) => models.reduce((sum, model) => sum + (model.fates[name] ?? 0), 0);
  return {
    events: events.flat().length,
    sessions: rows,
    late: late.flat().length,
    duplicates: fates('duplicate'),
    merged: sent.flat().filter(({ state }) => state === 'merged').length,
    amended: sent.flat().filter(({ state }) => state === 'amended').length,
  };
}

function modelOf(
  { definition, logId, partitionCount }: Verified,
  partition: number,
  records: readonly LogRecord[],
): PartitionModel {
  const model = new PartitionModel(definition, logId, partition, partitionCount);
  model.take(records);
  return model;
}

async function refusals({ kafka, partitionCount }: Verified, topic: string): Promise<string[][]> {
  const partitions = await readTopic(kafka, topic, partitionCount);
  return partitions.map((records) =>
    records.map((record) => {
      const { offset, reason } = parsed(record);
      return `${offset} ${reason}`;
    }),
  );
}

/** The table has the newest revision of each closed session, once, and nothing else. */
async function checkRows({ databaseUrl }: Verified, sent: readonly SentRecord[]): Promise<number> {
  const newest = new Map(sent.map((record) => [record.sessionId, record]));
  const wanted = [...newest.values()]
    .filter((record): record is SessionRecord => !['merged', 'active'].includes(record.state))
    .map(({ sessionId, userId, revision, eventCount, startTime, endTime, hasConversion }) =>
      [sessionId, userId, revision, eventCount, startTime, endTime, hasConversion].join(' '),
    );
  const rows = await readRows(databaseUrl);
  const found = rows.map((row) =>
    [
      ...[row.session_id, row.user_id, row.revision, row.event_count],
      ...[row.start_time.toISOString(), row.end_time.toISOString(), row.has_conversion],
    ].join(' '),
  );
  assert.deepEqual(found.sort(), wanted.sort(), 'rows of user_sessions');
  return found.length;
}

async function readRows(url: string) {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const columns = 'session_id, user_id, revision, event_count, start_time, end_time';
    return (await client.query(`SELECT ${columns}, has_conversion FROM user_sessions`)).rows;
  } finally {
    await client.end();
  }
}

/** Buckets of the rollup that the rows do not give. */
async function wrongBuckets(url: string): Promise<number> {
  const history = await openPostgresHistory({ url, clock: systemClock });
  try {
    return await history.wrongBuckets();
  } finally {
    await history.close();
  }
}

function parsed({ value }: LogRecord): Record<string, unknown> {
  return JSON.parse(Buffer.from(value).toString());
}
