/** The order of arrival, by a table of what is told after each event, and against the library. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { fileOf, parsed, run } from '../../test/support/run-sessionize.ts';
import { seededRandom } from '../../test/support/seeded-random.ts';
import { partitionOf } from '../core/hash.ts';
import { type EventInput, Sessionizer } from '../core/sessionize.ts';
import { systemClock } from '../ops/clock.ts';

const ARRIVAL = { order: 'arrival' } as const;

/** Minutes after ten as an event's line; the ids are the numbers of the events. */
function eventAt(minute: number, user = 'u', id = ''): EventInput {
  const timestamp = new Date(Date.UTC(2026, 10, 23, 10, minute)).toISOString();
  return { userId: user, eventType: 'CLICK', timestamp, eventId: id || `${user}${minute}` };
}

function ndjsonOf(events: readonly EventInput[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join('');
}

/** `after: what` of each record, in short. */
function short(out: string): string[] {
  const names = new Map<string, string>();
  const nameOf = (id: string) => {
    if (!names.has(id)) names.set(id, `s${names.size + 1}`);
    return names.get(id)!;
  };
  return parsed(out).map((record) => {
    const { type, after, state, revision, tier, sessionId, eventCount, mergedInto } = record;
    if (type === 'merged')
      return `${after}: ${nameOf(sessionId)} into ${nameOf(mergedInto)} r${revision}`;
    if (type === 'late')
      return `${after}: late ${record.eventId} ${record.timestamp.slice(11, 16)}`;
    if (type === 'rejected') return `${after}: rejected line ${record.line} ${record.reason}`;
    assert.equal(type, 'session');
    return [
      `${after}:`,
      nameOf(sessionId),
      state,
      tier ?? '-',
      `r${revision}`,
      `n${eventCount}`,
    ].join(' ');
  });
}

test('sent, revived, bridged, late, rejected, and open at the end', async () => {
  const lines = ndjsonOf([0, 25, 61, 50, 50, 1700, 110].map((minute) => eventAt(minute))).split(
    '\n',
  );
  lines.splice(3, 0, 'oops');
  const input = `${lines.join('\n')}${ndjsonOf([eventAt(1701, 'v')])}`;
  const { out, said, totals } = await run([fileOf(input, '.ndjson')], ARRIVAL);
  assert.deepEqual(short(out), [
    '3: s1 closed 5m r1 n2',
    '3: rejected line 4 invalid_json',
    '4: s2 into s1 r2',
    '4: s1 active - r2 n4',
    '6: s1 closed 5m r3 n4',
    '7: late u110 11:50',
    '8: s3 active - r0 n1',
    '8: s4 active - r0 n1',
  ]);
  assert.match(said, /8 events: 1 too late, 1 twice; sessions told 5 times/);
  assert.deepEqual(totals, { events: 8, sessions: 5, rejected: 1 });
});

test('at later tiers a session that changed is sent again', async () => {
  const minutes = [0, 61, 25, 91, 115, 116];
  const { out } = await run(
    [fileOf(ndjsonOf(minutes.map((minute) => eventAt(minute))), '.ndjson')],
    ARRIVAL,
  );
  assert.deepEqual(short(out), [
    '2: s1 closed 5m r1 n1',
    '6: s1 amended 1h r2 n2',
    '6: s2 active - r0 n4',
  ]);
});

/** Events of a few users, many of them out of order, some of them too late. */
function disorder(seed: number): EventInput[] {
  const random = seededRandom(seed);
  let minute = 0;
  return Array.from({ length: 1500 }, (_, index) => {
    minute += random() < 0.05 ? 90 * random() : 2 * random();
    const late = random() < 0.3 ? (random() < 0.2 ? 3000 : 40) * random() : 0;
    const user = `u${Math.floor(random() * 8)}`;
    return eventAt(Math.max(0, Math.floor(minute - late)), user, `e${index}`);
  });
}

const SEED = Math.floor(systemClock.nowMs());

test(`everything the library tells, in partitions too, from live input too (seed ${SEED})`, async () => {
  const events = disorder(SEED);
  for (const partitions of [1, 3]) {
    const sessionizers = Array.from({ length: partitions }, () => new Sessionizer());
    const expected: unknown[] = [];
    for (const [index, event] of events.entries()) {
      const partition = sessionizers[partitionOf(event['userId'] as string, partitions)]!;
      const { fate, sent } = partition.push(event);
      if (fate === 'late') expected.push([index + 1, 'late', event['eventId']]);
      for (const record of sent) expected.push([index + 1, ...shape(record)]);
    }
    const open = sessionizers.flatMap((sessionizer) => sessionizer.active());
    open.sort((one, other) =>
      one.startTime + one.userId < other.startTime + other.userId ? -1 : 1,
    );
    for (const record of open) expected.push([events.length, ...shape(record)]);

    const pieces = Readable.from(
      Buffer.from(ndjsonOf(events))
        .toString('latin1')
        .match(/.{1,999}/gs)!,
    );
    const live = await run(
      ['-'],
      { ...ARRIVAL, partitions },
      pieces.map((piece) => Buffer.from(piece, 'latin1')),
    );
    const { out } = await run([fileOf(ndjsonOf(events), '.ndjson')], { ...ARRIVAL, partitions });
    assert.equal(live.out, out);
    const told = parsed(out).map(({ type, after, ...record }) =>
      type === 'late' ? [after, 'late', record.eventId] : [after, ...shape(record)],
    );
    assert.deepEqual(told, expected);
    for (const kind of ['late', 'merged', 'amended', 'active']) {
      assert.ok(
        expected.some((one) => (one as unknown[]).includes(kind)),
        `no ${kind} in this seed`,
      );
    }
  }
});

/** A record without its ids, which are made of where a log is from. */
function shape(record: { readonly state: string }): unknown[] {
  const { sessionId, mergedInto, previousSessionId, ...rest } = record as Record<string, unknown>;
  return [record.state, JSON.parse(JSON.stringify(rest))];
}
