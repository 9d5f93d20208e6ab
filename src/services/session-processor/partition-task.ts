/**
 * One partition's serial task: read, prefetch, apply, sweep, freeze. It never waits for a commit.
 */

import type { SessionDefinition } from '../../core/definition.ts';
import { type Freeze, Loader, type Want } from '../../core/loader.ts';
import type { Fate } from '../../core/output.ts';
import { packedType } from '../../core/packed-event.ts';
import { Partition, type PartitionCounts } from '../../core/partition.ts';
import type { User } from '../../core/user.ts';
import { LullError } from '../../errors.ts';
import type { LogRecord, TopicReader } from '../../log/log.ts';
import type { Clock } from '../../ops/clock.ts';
import type {
  Checkpoint,
  DeadlineEntry,
  OutputRecord,
  PartitionCommit,
  StateStore,
} from '../../state/state.ts';
import { EventBatch } from './event-batch.ts';
import { IN_FUTURE, type Place, refusalRecord, TOO_LATE } from './input.ts';
import { newestOf, type SentSession, SessionOutputs } from './session-outputs.ts';

export interface TaskOptions {
  readonly partition: number;
  readonly definition: SessionDefinition;
  readonly input: TopicReader;
  readonly store: StateStore;
  readonly clock: Clock;
  /** Users kept in memory. */
  readonly memoryUsers: number;
  /** Aborts when the partition is no longer to be worked on: turns then do nothing. */
  readonly signal: AbortSignal;
  /** Called with what became of each event. */
  readonly onFate: (fate: Fate, eventType: string, reason: string) => void;
}

/** A commit on its way: what goes to the store, and what is done once it is there. */
export interface TaskCommit {
  readonly task: PartitionTask;
  readonly freeze: Freeze<SentSession>;
  readonly commit: PartitionCommit;
  /** What goes to the `sessions` topic with it. */
  readonly sent: readonly SentSession[];
  /** What happened to sessions since the last freeze. */
  readonly changes: PartitionCounts;
}

const READ_BYTES = 512 * 1024;
/** Users whose deadline has come that one turn looks at; the rest waits for the next turn. */
const SWEEP_USERS = 2000;
/** How often, and how long apart, a log is asked that seems to have lost records. */
const END_LOOKS = 50;
const END_LOOK_MS = 100;
const MINUTE_MS = 60_000;

export class PartitionTask {
  readonly number: number;
  readonly partition: Partition<SentSession>;
  /** First input offset that is committed and published; reads that carry a position wait on it. */
  visibleOffset: number;
  readonly #options: TaskOptions;
  readonly #loader: Loader<SentSession>;
  readonly #place: Place;
  #nextOffset: number;
  #frozenOffset: number;
  /** Late and rejected events since the last freeze. */
  #refused: OutputRecord[] = [];
  /** The partition's counts at the last freeze. */
  #countsFrozen: PartitionCounts | null = null;
  /** The part of a turn that changes memory; a freeze waits for it, but not for the log. */
  #working: Promise<boolean> | null = null;
  /** When the event clock last moved, or the log's end was last not reached; monotonic. */
  #idleSinceMs: number;
  #lastClock: number;
  /** How far the stored deadline index has been gone through, by either clock. */
  #sentThrough: DeadlineEntry | null = null;
  #settledThrough: DeadlineEntry | null = null;

  private constructor(options: TaskOptions, checkpoint: Checkpoint | null) {
    const { input, partition, definition } = options;
    this.#options = options;
    this.number = partition;
    this.#place = { logId: input.logId, partition, partitionCount: input.partitionCount };
    const teller = new SessionOutputs();
    this.partition = new Partition({ definition, identity: this.#place, stored: true, teller });
    this.#loader = new Loader(this.partition, checkpoint !== null);
    this.#nextOffset = checkpoint?.nextOffset ?? input.firstOffset(partition);
    this.#frozenOffset = this.#nextOffset;
    this.visibleOffset = this.#nextOffset;
    if (checkpoint !== null) this.partition.clock = checkpoint.clockMs;
    this.#lastClock = this.partition.clock;
    this.#idleSinceMs = options.clock.monotonicMs();
  }

  /** Takes the partition up where its last commit left it. */
  static async open(options: TaskOptions): Promise<PartitionTask> {
    const { input, partition, signal } = options;
    const checkpoint = await options.store.open(partition, signal);
    if (checkpoint !== null && checkpoint.logId !== input.logId) {
      throw new LullError(
        'data_mismatch',
        `the state of partition ${partition} belongs to another log than ${input.name}`,
      );
    }
    if (checkpoint !== null && !(await reaches(options, checkpoint.nextOffset))) {
      throw new LullError(
        'data_mismatch',
        `the state of partition ${partition} is ahead of ${input.name}, which has lost records`,
      );
    }
    return new PartitionTask(options, checkpoint);
  }

  /** How far the log reaches beyond what was read of it. */
  get lagRecords(): number {
    const { input, partition } = this.#options;
    return Math.max(0, input.endOffset(partition) - this.#nextOffset);
  }

  get atEnd(): boolean {
    return this.lagRecords === 0;
  }

  /** Whether there is something to commit. */
  get hasChanges(): boolean {
    return this.partition.hasChanges || this.#nextOffset !== this.#frozenOffset;
  }

  /**
   * The clock that decides when sessions are sent: the event clock, run on with time once nothing
   * has moved it for a while (semantics, Silence). It never passes wall time.
   */
  sendingClock(): number {
    const { clock, definition } = this.#options;
    const eventClock = this.partition.clock;
    const idleMs = clock.monotonicMs() - this.#idleSinceMs;
    if (idleMs < definition.idleMs) return eventClock;
    return Math.max(eventClock, Math.min(eventClock + idleMs, clock.nowMs()));
  }

  /** One turn: a batch of input, then what is due. Returns whether there may be more to do now. */
  async turn(): Promise<boolean> {
    const { input, partition, signal } = this.#options;
    const endOffset = input.endOffset(partition);
    const records = await input.read(partition, this.#nextOffset, READ_BYTES);
    if (signal.aborted) return false;
    this.#working = this.#work(records, endOffset);
    try {
      return await this.#working;
    } finally {
      this.#working = null;
    }
  }

  /** Freezes what changed; the caller commits it, and then calls `committed`. */
  async freeze(): Promise<TaskCommit> {
    while (this.#working !== null) await this.#working;
    const { partition } = this.#options;
    const freeze = this.#loader.freeze(this.sendingClock());
    const sent = newestOf(freeze.sent);
    const commit: PartitionCommit = {
      partition,
      writes: freeze.writes,
      deadlines: freeze.deadlines,
      outputs: [...sent, ...this.#refused],
      checkpoint: {
        logId: this.#place.logId,
        nextOffset: this.#nextOffset,
        clockMs: freeze.clock,
      },
    };
    this.#refused = [];
    this.#frozenOffset = this.#nextOffset;
    return { task: this, freeze, commit, sent, changes: this.#takeChanges() };
  }

  committed(freeze: Freeze<SentSession>): void {
    this.#loader.committed(freeze);
  }

  #takeChanges(): PartitionCounts {
    const before = this.#countsFrozen;
    const counts = { ...this.partition.counts };
    this.#countsFrozen = counts;
    const changes = { ...counts };
    if (before === null) return changes;
    for (const name of Object.keys(changes) as (keyof PartitionCounts)[]) {
      changes[name] -= before[name];
    }
    return changes;
  }

  async #work(records: readonly LogRecord[], endOffset: number): Promise<boolean> {
    if (records.length > 0) await this.#applyAll(records);
    // Offsets may have holes: where there is nothing to read, nothing is left to wait for.
    else this.#nextOffset = Math.max(this.#nextOffset, endOffset);
    this.#watchIdle();
    const swept = await this.#sweep();
    return !this.atEnd || !swept;
  }

  async #applyAll(records: readonly LogRecord[]): Promise<void> {
    const batch = new EventBatch(records);
    batch.decode(this.partition.users, this.#place, (record, rejection, eventType) => {
      this.#refuse('rejected-events', record, rejection);
      this.#options.onFate('rejected', eventType, rejection.code);
    });
    await this.#load(
      (wants) => batch.want(this.#loader, wants),
      () => {
        for (let index = 0; index < records.length; index++) {
          const user = batch.users[index]!;
          if (user !== null) this.#apply(batch, index, user);
        }
        this.#nextOffset = records[records.length - 1]!.offset + 1;
      },
    );
  }

  #apply({ records, bytes, starts }: EventBatch, index: number, user: User): void {
    const record = records[index]!;
    const start = starts[index]!;
    const eventType = packedType(bytes, start);
    const fate = this.partition.applyPacked(bytes, start, record.offset, record.arrivalMs, user);
    let reason = '';
    if (fate === 'rejected') {
      this.#refuse('rejected-events', record, IN_FUTURE);
      reason = IN_FUTURE.code;
    } else if (fate === 'late') {
      this.#refuse('late-events', record, TOO_LATE);
      reason = TOO_LATE.code;
    }
    this.#options.onFate(fate, eventType, reason);
  }

  #refuse(topic: string, record: LogRecord, reason: Parameters<typeof refusalRecord>[2]): void {
    this.#refused.push({
      topic,
      key: record.key,
      value: refusalRecord(record, this.#place, reason),
    });
  }

  /**
   * Reads what is wanted until nothing more is: users, then their sessions, then their ids. Then
   * decides, with no await in between: a commit that ends meanwhile lets closed sessions go.
   */
  async #load(collect: (wants: Want[]) => void, decide: () => void): Promise<void> {
    const { store, partition } = this.#options;
    for (;;) {
      const wants: Want[] = [];
      collect(wants);
      if (wants.length === 0) {
        decide();
        return;
      }
      const values = await store.getMany(
        partition,
        wants.map((want) => want.key),
      );
      this.#loader.install(wants, values);
    }
  }

  #watchIdle(): void {
    if (this.atEnd && this.partition.clock === this.#lastClock) return;
    this.#lastClock = this.partition.clock;
    this.#idleSinceMs = this.#options.clock.monotonicMs();
  }

  /** Sends and forgets what is due, in memory or not; true when nothing due is left. */
  async #sweep(): Promise<boolean> {
    const sendingClock = this.sendingClock();
    if (sendingClock === Number.NEGATIVE_INFINITY) return true;
    const listed = await this.#loadDue(sendingClock);
    const swept = this.partition.sweep(sendingClock, SWEEP_USERS) < SWEEP_USERS;
    if (listed && swept) {
      // The sending clock may have been further: what the index named then it won't name again.
      const namedUntilMs = (this.#sentThrough!.minute - 1) * MINUTE_MS;
      this.#loader.evict(this.#options.memoryUsers, Math.max(sendingClock, namedUntilMs));
    }
    return listed && swept;
  }

  /**
   * Brings in the users that the stored deadline index names. By the sending clock they are gone
   * through once; and once more by the event clock, which alone lets them be forgotten.
   */
  async #loadDue(sendingClock: number): Promise<boolean> {
    const eventMinute = Math.floor(this.partition.clock / MINUTE_MS);
    const sendingMinute = Math.floor(sendingClock / MINUTE_MS);
    this.#settledThrough = await this.#loadDueAfter(this.#settledThrough, eventMinute);
    const from = later(this.#settledThrough, this.#sentThrough);
    this.#sentThrough = await this.#loadDueAfter(from, sendingMinute);
    return this.#settledThrough.minute > eventMinute && this.#sentThrough.minute > sendingMinute;
  }

  /** Returns the place reached: the last entry, or the start of the next minute. */
  async #loadDueAfter(after: DeadlineEntry | null, untilMinute: number): Promise<DeadlineEntry> {
    if (after !== null && after.minute > untilMinute) return after;
    // Users in memory are found by their own deadlines.
    const from = after?.minute ?? Number.NEGATIVE_INFINITY;
    if (from > this.#loader.absentThrough) return startOf(untilMinute + 1);
    const { store, partition } = this.#options;
    const due = await store.dueUsers(partition, after, untilMinute, SWEEP_USERS);
    await this.#load(
      (wants) => {
        for (const { userId } of due) this.#loader.wantDue(userId, wants);
      },
      () => {},
    );
    return due.length < SWEEP_USERS ? startOf(untilMinute + 1) : due[due.length - 1]!;
  }
}

/** Whether the log reaches as far; another process may have read more of it than we know of. */
async function reaches(options: TaskOptions, offset: number): Promise<boolean> {
  const { input, partition, clock, signal } = options;
  for (let looks = 0; input.endOffset(partition) < offset; looks++) {
    if (input.refreshEnds === undefined || looks === END_LOOKS || signal.aborted) return false;
    await input.refreshEnds([partition], signal);
    if (input.endOffset(partition) < offset) await clock.sleep(END_LOOK_MS, signal);
  }
  return true;
}

/** The place before the first entry of a minute: no user id is empty. */
function startOf(minute: number): DeadlineEntry {
  return { minute, userId: '' };
}

function later(one: DeadlineEntry | null, other: DeadlineEntry | null): DeadlineEntry | null {
  if (one === null || other === null) return one ?? other;
  if (one.minute !== other.minute) return one.minute > other.minute ? one : other;
  // Within a minute it may go through some entries twice, which does no harm.
  return startOf(one.minute);
}
