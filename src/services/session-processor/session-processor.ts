/**
 * The session-processor: works on the partitions that it is given, commits them together, then
 * publishes. Each assignment begins anew from what is committed.
 */
import { setImmediate } from 'node:timers/promises';
import type { SessionDefinition } from '../../core/definition.ts';
import { partitionOf } from '../../core/hash.ts';
import type { Fate } from '../../core/output.ts';
import type { Live } from '../../live/live.ts';
import type { TopicReader } from '../../log/log.ts';
import type { Clock } from '../../ops/clock.ts';
import type { PartitionStatus, SessionQuery, StateAnswer, Visibility } from '../../state/query.ts';
import { CommitAborted, type StateStore } from '../../state/state.ts';
import { Assignment } from './assignment.ts';
import { LiveFiller } from './live-filler.ts';
import { PartitionTask, type TaskCommit } from './partition-task.ts';
import { committedSessions } from './state-reader.ts';

export interface ProcessorOptions {
  readonly definition: SessionDefinition;
  readonly input: TopicReader;
  readonly store: StateStore;
  readonly live: Live;
  readonly clock: Clock;
  /** At most this long between a change and the start of its commit. */
  readonly commitIntervalMs: number;
  /** The same while there is more to read; a second by default. */
  readonly backlogCommitMs?: number;
  /** Users kept in memory, over all partitions. */
  readonly memoryUsers: number;
  /** Whether what was assigned is still ours for all we know; when not given, it always is. */
  readonly isOwner?: () => boolean;
  /** Since when a copy of somebody else's partition is current; null when there is none. */
  readonly standbyAsOfMs?: (partition: number) => number | null;
  readonly onFate?: (fate: Fate, eventType: string, reason: string) => void;
  /** Called after each commit with its changed users, how long it took and what it was made of. */
  readonly onCommit?: (users: number, durationMs: number, commits: readonly TaskCommit[]) => void;
  /** Called after a commit that was taken back. */
  readonly onCommitAborted?: () => void;
}

/** Changed users from which a commit is started before its interval is over. */
const COMMIT_USERS = 50_000;
/** Longest time between commits while there is more to read, unless told otherwise. */
const BACKLOG_COMMIT_MS = 1000;
/** A partition that is further behind has a backlog. */
const BACKLOG_RECORDS = 2000;
/** Longest wait for input: how late a deadline may be noticed when nothing comes. */
const IDLE_TURN_MS = 200;
/** After the first of several commits in a row that were taken back. */
const REOPEN_MS = 100;
const LONGEST_REOPEN_MS = 2000;

export class SessionProcessor implements SessionQuery {
  readonly #options: ProcessorOptions;
  readonly #live: LiveFiller;
  readonly #waiters = new Set<() => void>();
  readonly #ended = Promise.withResolvers<void>();
  #assignment = new Assignment([]);
  /** Openings of earlier assignments that have not settled yet. */
  #opening: Promise<unknown> = Promise.resolve();
  #isStarted = false;
  /** What is assigned may be somebody else's by now: nothing is opened until the next `assign`. */
  #isPaused = false;
  #isClosing = false;
  #failure: Error | null = null;
  #commit: Promise<void> = Promise.resolve();
  #isCommitting = false;
  #lastCommitMs: number;
  /** Commits in a row that were taken back. */
  #abortedCommits = 0;
  #wakeCommitter: () => void = () => {};

  constructor(options: ProcessorOptions) {
    this.#options = options;
    this.#live = new LiveFiller(options.live, options.store);
    this.#lastCommitMs = options.clock.monotonicMs();
    this.#ended.promise.catch(() => {});
  }

  /** With all partitions of the input, each where its last commit left it. */
  static async open(options: ProcessorOptions): Promise<SessionProcessor> {
    const processor = new SessionProcessor(options);
    const partitions = Array.from({ length: options.input.partitionCount }, (_, index) => index);
    await processor.assign(partitions);
    return processor;
  }

  /**
   * Starts no more turns and commits, forgets what is not committed, and resolves when the commit
   * under way is over. Until the next `assign` every partition counts as restoring.
   */
  async pause(): Promise<void> {
    this.#isPaused = true;
    this.#drop();
    await this.#commit.catch(() => {});
  }

  /**
   * Takes up these partitions, and no others, from what is committed; each begins as soon as it is
   * open. Resolves when all are, or when a newer assignment has taken its place.
   */
  async assign(partitions: readonly number[]): Promise<void> {
    if (this.#isOver) return;
    this.#isPaused = false;
    this.#drop();
    const assignment = new Assignment(partitions);
    this.#assignment = assignment;
    this.#tellWaiters();
    // One opening of a partition follows another, and none goes on beside its commit.
    await Promise.all([this.#opening, this.#commit.catch(() => {})]);
    if (assignment.isOver) return;
    const opening = Promise.all(partitions.map((each) => this.#open(assignment, each)));
    this.#opening = opening.catch(() => {});
    try {
      await opening;
    } catch (error) {
      // What is taken away while it opens comes with the next assignment, if at all.
      if (assignment.isOver || error instanceof CommitAborted) return;
      // Where somebody else may own it, what was read of it need not fit together.
      if (!this.#isOwner) return void this.#reopen();
      this.#fail(error);
      throw error;
    }
  }

  /** Fills the live cache from what is open, before `start`: later that goes by itself. */
  async restoreLive(): Promise<void> {
    const { signal, tasks } = this.#assignment;
    await Promise.all(tasks.map(({ number }) => this.#live.takeUp(number, signal)));
  }

  /** Runs until `close`; rejects when something that it can't go on without fails. */
  start(): Promise<void> {
    const { input, live } = this.#options;
    this.#isStarted = true;
    const stopWaking = input.onAppend((partition) => this.#assignment.wake(partition));
    const stopRefilling = live.onRefillNeeded((partition) => this.#refill(partition));
    for (const task of this.#assignment.tasks) this.#startTurns(this.#assignment, task);
    this.#commits().catch((error) => this.#fail(error));
    return this.#ended.promise.finally(() => {
      stopWaking();
      stopRefilling();
    });
  }

  /** Finishes the turns, commits and publishes what changed, and stops. */
  async close(): Promise<void> {
    if (this.#isClosing) return this.#ended.promise.catch(() => {});
    this.#isClosing = true;
    this.#assignment.end();
    this.#wakeCommitter();
    await this.#commit.catch(() => {});
    try {
      if (this.#isStarted && this.#failure === null) await this.commit();
      this.#ended.resolve();
    } catch (error) {
      // It belongs to whoever has it now.
      if (error instanceof CommitAborted) this.#ended.resolve();
      else this.#fail(error);
    }
    this.#drop();
    this.#tellWaiters();
  }

  /** One turn of every partition; returns whether there may be more to do at once. */
  async turn(): Promise<boolean> {
    const more = await Promise.all(this.#assignment.tasks.map((task) => task.turn()));
    return more.includes(true);
  }

  /** Commits what changed since the last commit, and publishes it once it is stored. */
  async commit(): Promise<void> {
    const { store, clock, onCommit } = this.#options;
    const assignment = this.#assignment;
    const changed = assignment.tasks.filter((task) => task.hasChanges);
    const commits: TaskCommit[] = [];
    for (const task of changed) {
      commits.push(await task.freeze());
      // All of them in one go would keep requests waiting.
      if (commits.length < changed.length) await setImmediate();
    }
    if (commits.length === 0 || assignment.isDropped) return;
    const startMs = clock.monotonicMs();
    const positions = await store.commit(commits.map(({ commit }) => commit));
    for (const { task, freeze } of commits) task.committed(freeze);
    await Promise.all(
      commits.map(({ commit, freeze }, index) =>
        this.#live.publish(commit.partition, positions[index]!, freeze.live),
      ),
    );
    for (const { task, commit } of commits) task.visibleOffset = commit.checkpoint.nextOffset;
    this.#tellWaiters();
    onCommit?.(countUsers(commits), clock.monotonicMs() - startMs, commits);
  }

  async sessionsOf(userId: string): Promise<StateAnswer | null> {
    const { store, input, definition } = this.#options;
    const partition = partitionOf(userId, input.partitionCount);
    const fresh = this.#freshness(partition);
    if (fresh === null) return null;
    const identity = { logId: input.logId, partition };
    return { ...fresh, sessions: await committedSessions(store, definition, identity, userId) };
  }

  async waitVisible(
    partition: number,
    offset: number,
    timeoutMs: number,
  ): Promise<Visibility | null> {
    const { clock } = this.#options;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    while (offset >= (this.#assignment.task(partition)?.visibleOffset ?? 0)) {
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0 || this.#isOver || !this.#assignment.has(partition)) return null;
      await this.#committed(leftMs);
    }
    return this.#live.isLevel(partition) ? 'published' : 'committed';
  }

  /** Of the partitions assigned here, in their order. */
  status(): PartitionStatus[] {
    return this.#assignment.partitions.map((partition) => this.#statusOf(partition));
  }

  get #isOwner(): boolean {
    return this.#options.isOwner?.() ?? true;
  }

  get #isOver(): boolean {
    return this.#isClosing || this.#failure !== null;
  }

  #statusOf(partition: number): PartitionStatus {
    const { input } = this.#options;
    const task = this.#assignment.task(partition);
    const clockMs = task?.partition.clock ?? Number.NEGATIVE_INFINITY;
    return {
      partition,
      logId: input.logId,
      visibleOffset: task?.visibleOffset ?? null,
      endOffset: input.endOffset(partition),
      clockMs: Number.isFinite(clockMs) ? clockMs : null,
      sendingClockMs: Number.isFinite(clockMs) ? task!.sendingClock() : null,
      usersInMemory: task?.partition.users.size ?? 0,
      counts: task?.partition.counts ?? null,
      state: this.#isOver ? 'stopped' : task === undefined ? 'restoring' : 'running',
      reason: this.#failure?.message ?? null,
    };
  }

  /** Where an answer about a partition comes from, and how fresh it is. */
  #freshness(partition: number): Omit<StateAnswer, 'sessions'> | null {
    const { clock, standbyAsOfMs = () => null } = this.#options;
    const nowMs = clock.nowMs();
    if (this.#assignment.task(partition) !== undefined) {
      return { source: this.#isOwner ? 'state' : 'standby', asOfMs: nowMs };
    }
    const asOfMs = standbyAsOfMs(partition);
    return asOfMs === null ? null : { source: 'standby', asOfMs };
  }

  async #open(assignment: Assignment, partition: number): Promise<void> {
    const { input, definition, store, clock, memoryUsers, onFate = () => {} } = this.#options;
    const { signal, partitions } = assignment;
    const task = await PartitionTask.open({
      ...{ partition, definition, input, store, clock, onFate, signal },
      memoryUsers: Math.ceil(memoryUsers / partitions.length),
    });
    if (assignment.isOver) return;
    assignment.add(task);
    this.#tellWaiters();
    if (!this.#isStarted) return;
    this.#startTurns(assignment, task);
    this.#live.takeUp(partition, signal).catch((error) => this.#fail(error));
  }

  #refill(partition: number): void {
    const { signal } = this.#assignment;
    if (this.#assignment.task(partition) === undefined) return;
    this.#live.refill(partition, signal).catch((error) => this.#fail(error));
  }

  #startTurns(assignment: Assignment, task: PartitionTask): void {
    this.#turns(assignment, task).catch((error) => {
      // What an assignment does that has been dropped is of no account.
      if (!assignment.isDropped) this.#fail(error);
    });
  }

  async #turns(assignment: Assignment, task: PartitionTask): Promise<void> {
    const { clock } = this.#options;
    while (!assignment.isOver) {
      const nap = assignment.nap(task.number, clock);
      const more = await task.turn();
      assignment.setBehind(task, task.lagRecords >= BACKLOG_RECORDS);
      this.#wakeCommitter();
      // Turns go on while a commit is stored, as long as memory holds what they change.
      if (this.#isCommitting && this.#isFull()) await this.#commit.catch(() => {});
      // Requests are served between two turns, however long the backlog.
      if (more) await setImmediate();
      else await nap(IDLE_TURN_MS);
    }
  }

  /** One commit follows the other, each when it is due. */
  async #commits(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#isOver) {
      const over = new AbortController();
      this.#wakeCommitter = () => over.abort();
      const waitMs = this.#commitDueInMs();
      if (waitMs > 0) await clock.sleep(waitMs, over.signal);
      else await this.#commitNow();
    }
  }

  #commitDueInMs(): number {
    const { clock, commitIntervalMs, backlogCommitMs = BACKLOG_COMMIT_MS } = this.#options;
    const { tasks, isBehind } = this.#assignment;
    if (!tasks.some((task) => task.hasChanges)) return IDLE_TURN_MS;
    if (this.#isFull()) return 0;
    // In a backlog nobody waits for the newest event: larger commits write each user less often.
    const dueMs = isBehind ? Math.max(commitIntervalMs, backlogCommitMs) : commitIntervalMs;
    return this.#lastCommitMs + dueMs - clock.monotonicMs();
  }

  async #commitNow(): Promise<void> {
    this.#lastCommitMs = this.#options.clock.monotonicMs();
    this.#isCommitting = true;
    try {
      this.#commit = this.commit();
      await this.#commit;
      this.#abortedCommits = 0;
    } catch (error) {
      if (!(error instanceof CommitAborted)) throw error;
      this.#options.onCommitAborted?.();
      void this.#reopen();
    } finally {
      this.#isCommitting = false;
    }
  }

  /** After a commit that was taken back: all partitions again, unless others are assigned. */
  async #reopen(): Promise<void> {
    const assignment = this.#assignment;
    this.#drop();
    const aborted = this.#abortedCommits++;
    let waitMs = aborted === 0 ? 0 : Math.min(REOPEN_MS * 2 ** (aborted - 1), LONGEST_REOPEN_MS);
    // What may be somebody else's by now is left alone.
    while (waitMs > 0 || !this.#isOwner) {
      await this.#options.clock.sleep(waitMs || REOPEN_MS);
      waitMs = 0;
      if (this.#assignment !== assignment || this.#isOver) return;
    }
    if (this.#isPaused) return;
    // A failure has been told by then.
    await this.assign(assignment.partitions).catch(() => {});
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    this.#assignment.end();
    this.#wakeCommitter();
    this.#tellWaiters();
    this.#ended.reject(this.#failure);
  }

  #drop(): void {
    this.#assignment.drop();
    this.#live.forget();
  }

  #isFull(): boolean {
    const { tasks } = this.#assignment;
    return tasks.reduce((sum, task) => sum + task.partition.changedUsers, 0) >= COMMIT_USERS;
  }

  #tellWaiters(): void {
    for (const waiter of this.#waiters) waiter();
  }

  #committed(timeoutMs: number): Promise<void> {
    const over = new AbortController();
    const waiter = () => over.abort();
    this.#waiters.add(waiter);
    return this.#options.clock.sleep(timeoutMs, over.signal).finally(() => {
      this.#waiters.delete(waiter);
    });
  }
}

function countUsers(commits: readonly TaskCommit[]): number {
  return commits.reduce((sum, { freeze }) => sum + freeze.users.length, 0);
}
