/** What the cases are run on: the core, and the naive model, behind one small face. */
import type { SessionDefinition } from '../../src/core/definition.ts';
import type { Event } from '../../src/core/event.ts';
import type { Fate } from '../../src/core/output.ts';
import { Oracle, type OracleSend, type OracleSession } from '../simulate/oracle.ts';
import type { Placed } from '../simulate/oracle-figures.ts';
import type { CaseSession } from './cases.ts';

export interface Machine {
  /** Takes one event and gives out all that follows from it. */
  apply(placed: Placed): Fate;
  /** All that was given out so far. */
  sent(): readonly OracleSend[];
  /** Every session there is after all inputs, sent or still open. */
  sessions(): CaseSession[];
  /** Those of them that are not closed. */
  open(): CaseSession[];
  /** Events that came too late for any tier, in order. */
  late(): Event[];
  told(session: OracleSession): CaseSession;
}

const LOG_ID = 'golden';

function told(session: OracleSession): CaseSession {
  return {
    key: session.userId,
    start: Date.parse(session.startTime),
    end: Date.parse(session.endTime),
    count: session.eventCount,
  };
}

function modelOf(definition: SessionDefinition): Machine {
  const oracle = new Oracle(definition, LOG_ID, 0);
  const isLive = (id: string) =>
    oracle.held().some((each) => each.id === id && oracle.isLive(each));
  return {
    apply: (placed) => oracle.apply(placed),
    sent: () => oracle.sent,
    sessions: () => oracle.sessions().map(told),
    open: () =>
      oracle
        .sessions()
        .filter((session) => isLive(session.sessionId))
        .map(told),
    late: () => oracle.late.map((placed) => placed.event),
    told,
  };
}

export const MACHINES = { 'the naive model': modelOf };
