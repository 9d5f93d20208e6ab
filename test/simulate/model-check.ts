/** Holds what a simulated system sent and kept against the naive model of the same log. */
import assert from 'node:assert/strict';
import { inspect, isDeepStrictEqual } from 'node:util';
import type { SessionDefinition } from '../../src/core/definition.ts';
import { decodeEvent } from '../../src/core/event.ts';
import { partitionOf } from '../../src/core/hash.ts';
import type { SentRecord, SessionRecord } from '../../src/core/output.ts';
import type { Live } from '../../src/live/live.ts';
import type { LogRecord } from '../../src/log/log.ts';
import type { SessionQuery } from '../../src/state/query.ts';
import type { MemoryStore } from '../support/memory-store.ts';
import { Oracle, type OracleSend, type OracleSession } from './oracle.ts';
import type { Tally } from './simulation.ts';

export interface Checked {
  readonly definition: SessionDefinition;
  readonly logId: string;
  /** By partition, all that ever became durable. */
  readonly log: readonly (readonly LogRecord[])[];
  /** Without silence every single sending is known; with it, what it all comes to. */
  readonly exact: boolean;
  readonly tally: Tally;
}

interface Modelled {
  readonly oracle: Oracle;
  /** Offsets and reasons of what was refused. */
  readonly late: string[];
  readonly rejected: string[];
  readonly lastUsers: Set<string>;
}

/** Everything is settled by now, but for the sessions of each partition's last event. */
export async function checkAgainstModel(
  checked: Checked & { readonly store: MemoryStore; readonly live: Live },
): Promise<void> {
  const { log, store, live, exact, tally } = checked;
  for (const [partition, records] of log.entries()) {
    const model = modelOf(checked, partition, records, tally);
    assert.equal(model.lastUsers.size, 1, 'the last event did not settle the others');
    const sent = (await outputs(store, 'sessions', partition)) as unknown as SentRecord[];
    checkRevisions(sent);
    if (exact) compareEach(partition, byRevision(sent), among(model.oracle.sent, sent));
    compareEach(partition, finals(sent), finals(model.oracle.sent));
    checkCounted(model, sent);
    assert.deepEqual(await refusals(store, 'late-events', partition), model.late);
    // Within one batch, what can't be read is refused before what is too far in the future.
    const rejected = await refusals(store, 'rejected-events', partition);
    assert.deepEqual(rejected.sort(), model.rejected.sort());
    await checkEmpty(store, partition, model.lastUsers);
    tallyUp(checked, model.oracle.sent, sent, tally);
  }
  // What is live is live everywhere: each partition's last event, and nothing else.
  assert.equal(await live.size(), log.length);
}

/** All that came is processed and nothing is due: what the owner of the state answers then. */
export async function checkAtRest(
  checked: Checked & {
    readonly processor: SessionQuery;
    readonly live: Live;
    readonly users: readonly string[];
  },
): Promise<void> {
  const { definition, log, exact, processor, live, users } = checked;
  const status = processor.status();
  const models = log.map((records, partition) => modelOf(checked, partition, records, {}));
  for (const userId of users) {
    const partition = partitionOf(userId, log.length);
    const sessions = await processor.sessionsOf(userId);
    const open = sessions.filter((session) => session.state === 'active');
    for (const { endTime } of open) {
      const dueMs = Date.parse(endTime) + definition.gapMs + definition.tiersMs[0]!;
      assert.ok(dueMs >= status[partition]!.sendingClockMs!, `${userId}: due, and still open`);
    }
    assert.deepEqual((await live.get(userId))?.session ?? null, open[0] ?? null);
    const wanted = models[partition]!.oracle.open().filter((each) => each.userId === userId);
    const found = open.map(ongoing).sort(byId);
    // Silence closes earlier than events do, so then it may be fewer.
    if (exact) assert.deepEqual(found, wanted.map(ongoing).sort(byId));
    else for (const each of found) assert.deepEqual([each], wanted.map(ongoing).filter(is(each)));
  }
}

/** An open session without what is only said once it is sent. */
function ongoing(session: SessionRecord | OracleSession) {
  const { channel, state, revision, tier, closeReason, ...rest } = session as SessionRecord;
  return rest;
}

function byId(a: { readonly sessionId: string }, b: { readonly sessionId: string }): number {
  return a.sessionId < b.sessionId ? -1 : 1;
}

function is({ sessionId }: { readonly sessionId: string }) {
  return (other: { readonly sessionId: string }) => other.sessionId === sessionId;
}

function modelOf(
  checked: Checked,
  partition: number,
  records: readonly LogRecord[],
  tally: Tally,
): Modelled {
  const { definition, logId, log } = checked;
  const oracle = new Oracle(definition, logId, partition);
  const late: string[] = [];
  const rejected: string[] = [];
  for (const { offset, value, arrivalMs } of records) {
    const raw = JSON.parse(Buffer.from(value).toString());
    const decoded = decodeEvent(raw, `${logId}/${partition}/${offset}`);
    if (!decoded.ok) {
      rejected.push(`${offset} ${decoded.rejection.code}`);
      continue;
    }
    const { event } = decoded;
    if (partitionOf(event.userId, log.length) !== partition) {
      rejected.push(`${offset} wrong_partition`);
      continue;
    }
    const fate = oracle.apply({ event, offset, arrivalMs });
    tally[fate] = (tally[fate] ?? 0) + 1;
    if (fate === 'late') late.push(`${offset} too_late`);
    if (fate === 'rejected') rejected.push(`${offset} timestamp_in_future`);
  }
  const lastUsers = new Set(oracle.open().map((session) => session.userId));
  return { oracle, late, rejected, lastUsers };
}

function checkRevisions(sent: readonly SentRecord[]): void {
  const revisions = new Map<string, number>();
  const absorbed = new Set<string>();
  for (const { sessionId, revision, state } of sent) {
    assert.ok(!absorbed.has(sessionId), `${sessionId} was sent after it was absorbed`);
    assert.ok((revisions.get(sessionId) ?? 0) < revision, `${sessionId}: revision did not rise`);
    revisions.set(sessionId, revision);
    if (state === 'merged') absorbed.add(sessionId);
  }
}

/** Every accepted event is in exactly one session at the end. */
function checkCounted({ oracle, lastUsers }: Modelled, sent: readonly SentRecord[]): void {
  const sessions = [...newest(sent).values()].filter((record) => record.state !== 'merged');
  const counted = sessions.reduce((sum, session) => sum + session.eventCount, 0);
  const open = oracle.open().reduce((sum, session) => sum + session.eventCount, 0);
  assert.equal(counted + open, oracle.accepted.length, 'events in sessions');
  for (const session of sessions) {
    assert.notEqual(session.state, 'active', `${session.sessionId} never closed`);
    assert.ok(!lastUsers.has(session.userId));
  }
}

function newest<Sent extends SentRecord | OracleSend>(sent: readonly Sent[]): Map<string, Sent> {
  return new Map(sent.map((record) => [record.sessionId, record]));
}

/** What each session came to, without what tells how often it was sent on the way. */
function finals(sent: readonly (SentRecord | OracleSend)[]): Record<string, unknown> {
  return Object.fromEntries(
    [...newest(sent)].map(([id, record]) => {
      if (record.state === 'merged') return [id, `merged into ${record.mergedInto}`];
      const { channel, state, revision, tier, duplicateCount, ...rest } = record as SessionRecord;
      return [id, rest];
    }),
  );
}

/** Every sending, by session and revision. */
function byRevision(sent: readonly (SentRecord | OracleSend)[]): Record<string, unknown> {
  return Object.fromEntries(
    sent.map((record) => {
      const { channel, ...rest } = record as SessionRecord;
      return [`${record.sessionId} r${record.revision}`, rest];
    }),
  );
}

/**
 * What the model sends, in those revisions that were sent and in the last of each session: one
 * commit sends of a session only what came last in it.
 */
function among(wanted: readonly OracleSend[], sent: readonly SentRecord[]) {
  const known = byRevision(wanted);
  const keys = Object.keys({
    ...byRevision(sent),
    ...byRevision([...newest(wanted).values()]),
  });
  return Object.fromEntries(keys.map((key) => [key, known[key]]));
}

/** Session by session, so that the difference can be read. */
function compareEach(
  partition: number,
  found: Readonly<Record<string, unknown>>,
  wanted: Readonly<Record<string, unknown>>,
): void {
  for (const id of Object.keys({ ...wanted, ...found })) {
    if (isDeepStrictEqual(found[id], wanted[id])) continue;
    const difference = inspect({ found: found[id], wanted: wanted[id] }, { depth: 3 });
    assert.fail(`partition ${partition}, session ${id}: ${difference}`);
  }
}

/** Nothing is left of what is settled. */
async function checkEmpty(
  store: MemoryStore,
  partition: number,
  lastUsers: ReadonlySet<string>,
): Promise<void> {
  const left: string[] = [];
  for await (const { key } of store.scan(partition, new Uint8Array())) {
    left.push(Buffer.from(key).toString('latin1'));
  }
  assert.deepEqual(
    left,
    [...lastUsers].map((userId) => `\x01${userId}`),
    'records left in the state',
  );
  const due = await store.dueUsers(partition, null, Number.MAX_SAFE_INTEGER, 1000);
  assert.deepEqual(
    due.map(({ userId }) => userId),
    [...lastUsers],
    'entries left in the deadline index',
  );
}

async function outputs(store: MemoryStore, topic: string, partition: number) {
  const records = await store.topic(topic).read(partition, 0, Number.POSITIVE_INFINITY);
  return records.map(({ value }) => JSON.parse(Buffer.from(value).toString()));
}

async function refusals(store: MemoryStore, topic: string, partition: number): Promise<string[]> {
  const records = await outputs(store, topic, partition);
  return records.map((record) => `${record['offset']} ${record['reason']}`);
}

function tallyUp(
  { definition, exact }: Checked,
  expected: readonly OracleSend[],
  sent: readonly SentRecord[],
  tally: Tally,
): void {
  const count = (what: string, times: number) => {
    tally[what] = (tally[what] ?? 0) + times;
  };
  const inState = (state: string) => sent.filter((record) => record.state === state).length;
  count('sessions merged', inState('merged'));
  count('sessions amended', inState('amended'));
  count('sessions revived', inState('active'));
  const last = [...newest(sent).values()].filter((record) => record.state !== 'merged');
  const closedBy = (reason: string) => last.filter((each) => each.closeReason === reason).length;
  if (definition.maxDurationMs > 0) count('sessions capped by duration', closedBy('max_duration'));
  if (definition.maxEvents > 0) count('sessions capped by count', closedBy('max_events'));
  count('sessions ended explicitly', closedBy('explicit'));
  // Silence sends sessions that then grow: their revisions rise beyond those of the model.
  const reached = newest(sent);
  const grown = [...newest(expected)].filter(
    ([id, { revision }]) => (reached.get(id)?.revision ?? 0) > revision,
  ).length;
  if (!exact) count('sent by silence and then grown', grown);
}
