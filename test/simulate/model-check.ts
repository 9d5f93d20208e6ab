/** Holds what a simulated system sent and kept against the naive model of the same log. */
import assert from 'node:assert/strict';
import { inspect, isDeepStrictEqual } from 'node:util';
import type { SessionDefinition } from '../../src/core/definition.ts';
import { partitionOf } from '../../src/core/hash.ts';
import type { SentRecord, SessionRecord } from '../../src/core/output.ts';
import type { Live } from '../../src/live/live.ts';
import type { SessionProcessor } from '../../src/services/session-processor/session-processor.ts';
import type { MemoryStore } from '../support/memory-store.ts';
import type { Oracle, OracleSend, OracleSession } from './oracle.ts';
import type { PartitionModel, Tally } from './partition-model.ts';

export interface Checked {
  readonly definition: SessionDefinition;
  /** By partition; each has taken in all that ever became durable. */
  readonly models: readonly PartitionModel[];
  readonly live: Live;
  /** Without silence every single sending is known; with it, what it all comes to. */
  readonly exact: boolean;
}

/** Everything is settled by now, but for the sessions of each partition's last event. */
export async function checkAtEnd(
  checked: Checked & { readonly store: MemoryStore; readonly tally: Tally },
): Promise<void> {
  const { models, store, live, exact } = checked;
  for (const [partition, { oracle, late, rejected }] of models.entries()) {
    const lastUsers = new Set(oracle.open().map((session) => session.userId));
    assert.equal(lastUsers.size, 1, 'the last event did not settle the others');
    const sent = (await outputs(store, 'sessions', partition)) as unknown as SentRecord[];
    checkRevisions(sent);
    if (exact) compareEach(partition, byRevision(sent), among(oracle.sent, sent));
    compareEach(partition, finals(sent), finals(oracle.sent));
    checkCounted(oracle, lastUsers, sent);
    assert.deepEqual(await refusals(store, 'late-events', partition), late);
    // Within one batch, what can't be read is refused before what is too far in the future.
    const refused = await refusals(store, 'rejected-events', partition);
    assert.deepEqual(refused.sort(), [...rejected].sort());
    await checkEmpty(store, partition, lastUsers);
    tallyUp(checked, oracle.sent, sent, models[partition]!.fates);
  }
  // What is live is live everywhere: each partition's last event, and nothing else.
  assert.equal(await live.size(), models.length);
}

/** All that came is processed and nothing is due: what the owner of the state answers then. */
export async function checkAtRest(
  checked: Checked & { readonly processor: SessionProcessor; readonly users: readonly string[] },
): Promise<void> {
  const { definition, models, exact, processor, live, users } = checked;
  const status = processor.status();
  const modelled = models.map(({ oracle }) => oracle.open());
  for (const userId of users) {
    const partition = partitionOf(userId, models.length);
    const { sessions } = (await processor.sessionsOf(userId))!;
    const open = sessions.filter((session) => session.state === 'active');
    for (const { endTime } of open) {
      const dueMs = Date.parse(endTime) + definition.gapMs + definition.tiersMs[0]!;
      assert.ok(dueMs >= status[partition]!.sendingClockMs!, `${userId}: due, and still open`);
    }
    assert.deepEqual((await live.get(userId))?.session ?? null, open[0] ?? null);
    const wanted = modelled[partition]!.filter((each) => each.userId === userId);
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

export function checkRevisions(sent: readonly SentRecord[]): void {
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
function checkCounted(
  oracle: Oracle,
  lastUsers: ReadonlySet<string>,
  sent: readonly SentRecord[],
): void {
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

/**
 * What each session came to, without what tells how often it was sent on the way. The session
 * before it may have been sent under the id that it had then: lineage leads to the one it is now.
 */
export function finals(sent: readonly (SentRecord | OracleSend)[]): Record<string, unknown> {
  const last = newest(sent);
  const survivorOf = (id: string | null): string | null => {
    const record = id === null ? undefined : last.get(id);
    return record?.state === 'merged' ? survivorOf(record.mergedInto) : id;
  };
  return Object.fromEntries(
    [...last].map(([id, record]) => {
      if (record.state === 'merged') return [id, `merged into ${record.mergedInto}`];
      const { channel, state, revision, tier, duplicateCount, ...rest } = record as SessionRecord;
      return [id, { ...rest, previousSessionId: survivorOf(rest.previousSessionId) }];
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
export function compareEach(
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
  { definition, exact, tally }: Checked & { readonly tally: Tally },
  expected: readonly OracleSend[],
  sent: readonly SentRecord[],
  fates: Tally,
): void {
  const count = (what: string, times: number) => {
    tally[what] = (tally[what] ?? 0) + times;
  };
  for (const [fate, times] of Object.entries(fates)) count(fate, times);
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
