/** What the cases and tables are run on: the core in several ways, and the naive model. */
import type { SessionDefinition } from '../../src/core/definition.ts';
import { describe } from '../../src/core/describe.ts';
import type { Event } from '../../src/core/event.ts';
import type { Fate, MergedRecord, SessionRecord } from '../../src/core/output.ts';
import { Partition } from '../../src/core/partition.ts';
import { Oracle } from '../simulate/oracle.ts';
import type { Placed } from '../simulate/oracle-figures.ts';
import { StoredPartition } from '../support/stored-partition.ts';
import type { CaseSession } from './cases.ts';

export type Told = Omit<SessionRecord, 'channel' | 'state' | 'revision' | 'tier'>;
export type Sent = MergedRecord | (Told & Pick<SessionRecord, 'state' | 'revision' | 'tier'>);

export interface Machine {
  /** Takes one event and gives out all that follows from it. */
  apply(placed: Placed): Fate;
  /** Runs the sending clock on to a time, without any event. */
  silence(untilMs: number): void;
  /** Stops and starts again from what was stored. */
  restart(): void;
  /** All that was given out so far. */
  sent(): readonly Sent[];
  /** Sessions that are live by the event clock. */
  open(): Told[];
  /** Events that came too late for any tier, in order. */
  late(): readonly Event[];
}

export const LOG_ID = 'golden';
const IDENTITY = { logId: LOG_ID, partition: 0 };

/** Every session there is: as it was last sent, or as it stands where it is open. */
export function sessionsOf(machine: Machine): CaseSession[] {
  const sessions = new Map<string, CaseSession>();
  for (const sent of machine.sent()) {
    if (sent.state === 'merged') sessions.delete(sent.sessionId);
    else sessions.set(sent.sessionId, toldShort(sent));
  }
  for (const session of machine.open()) sessions.set(session.sessionId, toldShort(session));
  return [...sessions.values()];
}

export function toldShort(session: Told): CaseSession {
  return {
    key: session.userId,
    start: Date.parse(session.startTime),
    end: Date.parse(session.endTime),
    count: session.eventCount,
  };
}

function modelOf(definition: SessionDefinition): Machine {
  const oracle = new Oracle(definition, LOG_ID, 0);
  return {
    apply: (placed) => oracle.apply(placed),
    silence: (untilMs) => oracle.advance(untilMs),
    restart: () => {},
    sent: () => oracle.sent,
    open: () => oracle.open(),
    late: () => oracle.late.map((placed) => placed.event),
  };
}

function openOf(partition: Partition): Told[] {
  return [...partition.users.values()].flatMap((user) =>
    user.sessions
      .filter((session) => session.tiersPassed === 0)
      .map((session) => describe(IDENTITY, partition.definition, user.id, session, 'active', null)),
  );
}

/** As `lull sessionize` and the library have it: nothing but memory. */
function memoryOf(definition: SessionDefinition): Machine {
  const partition = new Partition({ definition, identity: IDENTITY, stored: false });
  const sent: Sent[] = [];
  const late: Event[] = [];
  const sweep = (sendingClockMs: number) => {
    while (partition.sweep(sendingClockMs, 1) > 0);
    sent.push(...partition.takeSent());
  };
  return {
    apply: ({ event, offset, arrivalMs }) => {
      const fate = partition.apply(event, offset, arrivalMs);
      if (fate === 'late') late.push(event);
      sweep(partition.clock);
      return fate;
    },
    silence: sweep,
    restart: () => {},
    sent: () => sent,
    open: () => openOf(partition),
    late: () => late,
  };
}

/** As the processor has it: a commit after each event, and after each commit a restart. */
function storedOf(definition: SessionDefinition, restartsAlways: boolean): Machine {
  const stored = new StoredPartition(definition, LOG_ID, 0);
  const late: Event[] = [];
  const sweep = (sendingClockMs: number) => {
    stored.sweep(sendingClockMs);
    stored.commit(sendingClockMs);
    if (restartsAlways) stored.restart();
  };
  return {
    apply: ({ event, offset, arrivalMs }) => {
      const fate = stored.apply(event, offset, arrivalMs);
      if (fate === 'late') late.push(event);
      sweep(stored.partition.clock);
      return fate;
    },
    silence: sweep,
    restart: () => stored.restart(),
    sent: () => stored.sent,
    open: () => openOf(stored.loadAll()),
    late: () => late,
  };
}

export const MACHINES: Readonly<Record<string, (definition: SessionDefinition) => Machine>> = {
  'the naive model': modelOf,
  'the core in memory': memoryOf,
  'the core over a store': (definition) => storedOf(definition, false),
  'the core, restarted after every event': (definition) => storedOf(definition, true),
};
