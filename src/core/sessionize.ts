/**
 * The core for programs: sessions of an array, or of a stream under a clock of the caller's own.
 */
import { DEFAULT_DEFINITION, definitionProblem, type SessionDefinition } from './definition.ts';
import { describe } from './describe.ts';
import { decodeEvent, type Event, type Rejection } from './event.ts';
import type { Fate, SentRecord, SessionRecord } from './output.ts';
import { Partition } from './partition.ts';

/** An event as clients send it (`userId`, `eventType`, `timestamp`, …). */
export type EventInput = Readonly<Record<string, unknown>>;

export interface SessionizerOptions extends Partial<SessionDefinition> {
  /** Names the stream: session ids are made of it, so the same name gives the same ids. */
  readonly streamName?: string;
}

/** What became of one event, and the sessions that were sent because of it. */
export interface Outcome {
  readonly fate: Fate;
  /** Why it was rejected; null for any other fate. */
  readonly rejection: Rejection | null;
  readonly sent: readonly SentRecord[];
}

const LAST_TIME = 8_640_000_000_000_000;
/** The calendar's work is done in turns of this many users. */
const SWEEP_USERS = 10_000;

/**
 * One stream of events in the order in which they arrive, exactly as the session-processor treats
 * a partition of it. It has no clock of its own: time is what the events and `advance` say.
 */
export class Sessionizer {
  readonly #partition: Partition;
  #offset = 0;

  /** Throws a RangeError that says what is wrong when the options can't work together. */
  constructor(options: SessionizerOptions = {}) {
    const { streamName = 'stream', ...changes } = options;
    const definition = { ...DEFAULT_DEFINITION, ...changes };
    const problem = definitionProblem(definition);
    if (problem !== null) throw new RangeError(problem);
    const identity = { logId: streamName, partition: 0 };
    this.#partition = new Partition({ definition, identity, stored: false });
  }

  /**
   * Takes one event. With `arrivalMs` (epoch milliseconds) an event timed too far past its arrival
   * is rejected, and none moves the clock past it; without, neither rule applies.
   */
  push(input: EventInput, arrivalMs: number | null = null): Outcome {
    const decoded = decodeEvent(input, `${this.#partition.identity.logId}/${this.#offset}`);
    if (!decoded.ok) return { fate: 'rejected', rejection: decoded.rejection, sent: [] };
    return { ...this.pushEvent(decoded.event, arrivalMs), rejection: null };
  }

  /** The same for an event that is decoded already. */
  pushEvent(event: Event, arrivalMs: number | null): Outcome {
    const fate = this.#partition.apply(event, this.#offset++, arrivalMs);
    return { fate, rejection: null, sent: this.#sweep(this.#partition.clock) };
  }

  /** Runs the sending clock on to `timeMs`: sends the sessions that are due by then. */
  advance(timeMs: number): readonly SentRecord[] {
    return this.#sweep(Math.max(timeMs, this.#partition.clock));
  }

  /** Ends the stream: everything that is still open is sent, and the stream is forgotten. */
  finish(): readonly SentRecord[] {
    this.#partition.clock = LAST_TIME;
    return this.#sweep(LAST_TIME);
  }

  /** The sessions that are open now, by start. */
  active(): SessionRecord[] {
    const { identity, definition, users } = this.#partition;
    const active: SessionRecord[] = [];
    for (const user of users.values()) {
      for (const session of user.sessions) {
        if (session.tiersPassed > 0) continue;
        active.push(describe(identity, definition, user.id, session, 'active', null));
      }
    }
    return active.sort(byStartTime);
  }

  #sweep(clock: number): SentRecord[] {
    while (this.#partition.sweep(clock, SWEEP_USERS) === SWEEP_USERS);
    return this.#partition.takeSent();
  }
}

/**
 * The sessions of these events, by start; no event is late, whatever their order. Events that
 * can't be used go to `onRejected`, which by default throws what is wrong with the first of them.
 */
export function sessionize(
  events: Iterable<EventInput>,
  options: SessionizerOptions = {},
  onRejected: (rejection: Rejection, input: EventInput) => void = refuse,
): SessionRecord[] {
  const decoded: Event[] = [];
  for (const input of events) {
    const result = decodeEvent(input, `#${decoded.length}`);
    if (result.ok) decoded.push(result.event);
    else onRejected(result.rejection, input);
  }
  decoded.sort((one, other) => one.timestamp - other.timestamp || one.idHash - other.idHash);
  const sessionizer = new Sessionizer({ ...options, tiersMs: [0] });
  const sessions: SentRecord[] = [];
  for (const event of decoded) sessions.push(...sessionizer.pushEvent(event, null).sent);
  sessions.push(...sessionizer.finish());
  return sessions
    .filter((record): record is SessionRecord => record.state !== 'merged')
    .sort(byStartTime);
}

function refuse(rejection: Rejection): never {
  throw new RangeError(`${rejection.message} (${rejection.hint})`);
}

function byStartTime(one: SessionRecord, other: SessionRecord): number {
  return one.startTime < other.startTime ||
    (one.startTime === other.startTime && one.userId < other.userId)
    ? -1
    : 1;
}
