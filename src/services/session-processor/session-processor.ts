/** The session-processor: runs the partitions it owns, commits them together, then publishes. */
import { setImmediate } from 'node:timers/promises';
import type { SessionDefinition } from '../../core/definition.ts';
import { describe, type Identity } from '../../core/describe.ts';
import { partitionOf } from '../../core/hash.ts';
import { sessionKey, USER_PREFIX, userIdOf, userKey } from '../../core/keys.ts';
import type { Fate, SessionRecord } from '../../core/output.ts';
import { decodeSession, decodeUser } from '../../core/record.ts';
import type { Live, LiveUpdate } from '../../live/live.ts';
import type { TopicReader } from '../../log/log.ts';
import type { Clock } from '../../ops/clock.ts';
import type { PartitionStatus, SessionQuery } from '../../state/query.ts';
import type { StateStore } from '../../state/state.ts';
import { PartitionTask, type TaskCommit } from './partition-task.ts';

export interface ProcessorOptions {
  readonly definition: SessionDefinition;
  readonly input: TopicReader;
  readonly store: StateStore;
  readonly live: Live;
  readonly clock: Clock;
  /** At most this long between a change and the start of its commit. */
  readonly commitIntervalMs: number;
  /** Users kept in memory, over all partitions. */
  readonly memoryUsers: number;
  readonly onFate?: (fate: Fate, eventType: string, reason: string) => void;
  /** Called after each commit with its changed users and how long it took. */
  readonly onCommit?: (users: number, durationMs: number) => void;
}

/** Changed users from which a commit is started before its interval is over. */
const COMMIT_USERS = 20_000;
/** Longest time between commits while there is more to read. */
const BACKLOG_COMMIT_MS = 1000;
/** Longest wait for input: how late a deadline may be noticed when nothing comes. */
const IDLE_TURN_MS = 200;
const RESTORE_CHUNK = 1000;

/** The newest live session in a user's record, of which there is one: what the live cache gives. */
export function decodeLive(
  definition: SessionDefinition,
  identity: Identity,
  userId: string,
  record: Uint8Array,
): SessionRecord {
  const session = decodeUser(userId, record).newestLive()!;
  return describe(identity, definition, userId, session, 'active', null);
}

export class SessionProcessor implements SessionQuery {
  readonly #options: ProcessorOptions;
  readonly #tasks: PartitionTask[];
  readonly #waiters = new Set<() => void>();
  readonly #stop = new AbortController();
  #state: PartitionStatus['state'] = 'restoring';
  #reason: string | null = null;
  #commit: Promise<void> = Promise.resolve();
  #committing = false;
  #lastCommitMs: number;
  #wake: () => void = () => {};
  #running: Promise<void> | null = null;

  private constructor(options: ProcessorOptions, tasks: PartitionTask[]) {
    this.#options = options;
    this.#tasks = tasks;
    this.#lastCommitMs = options.clock.monotonicMs();
  }

  /** Takes up all partitions of the input where their last commit left them. */
  static async open(options: ProcessorOptions): Promise<SessionProcessor> {
    const { input, definition, store, clock } = options;
    const tasks: PartitionTask[] = [];
    const onFate = options.onFate ?? (() => {});
    const memoryUsers = Math.ceil(options.memoryUsers / input.partitionCount);
    for (let partition = 0; partition < input.partitionCount; partition++) {
      const task = { partition, definition, input, store, clock, memoryUsers, onFate };
      tasks.push(await PartitionTask.open(task));
    }
    return new SessionProcessor(options, tasks);
  }

  /** Fills the live cache from the state, as a new owner must; call it before `start`. */
  async restoreLive(): Promise<void> {
    const { store, live, input } = this.#options;
    for (let partition = 0; partition < input.partitionCount; partition++) {
      let updates: LiveUpdate[] = [];
      for await (const { key, value } of store.scan(partition, USER_PREFIX)) {
        const userId = userIdOf(key);
        if (decodeUser(userId, value).newestLive() === null) continue;
        updates.push({ userId, session: value });
        if (updates.length < RESTORE_CHUNK) continue;
        await live.publish(partition, 0, updates);
        updates = [];
      }
      await live.publish(partition, 0, updates);
    }
    this.#state = 'running';
  }

  /** Runs until `close`; rejects when something that it can't go on without fails. */
  start(): Promise<void> {
    const stop = this.#options.input.onAppend(() => this.#wake());
    this.#state = 'running';
    this.#running = this.#run()
      .catch((error: unknown) => {
        this.#state = 'stopped';
        this.#reason = error instanceof Error ? error.message : String(error);
        throw error;
      })
      .finally(stop);
    return this.#running;
  }

  /** Finishes the turn, commits and publishes what changed, and stops. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#running?.catch(() => {});
    this.#state = 'stopped';
    for (const waiter of this.#waiters) waiter();
  }

  /** One turn of every partition; returns whether there may be more to do at once. */
  async turn(): Promise<boolean> {
    const more = await Promise.all(this.#tasks.map((task) => task.turn()));
    return more.includes(true);
  }

  /** Commits what changed since the last commit, and publishes it once it is stored. */
  async commit(): Promise<void> {
    const { store, live, clock, onCommit } = this.#options;
    const commits = this.#tasks.filter((task) => task.hasChanges).map((task) => task.freeze());
    if (commits.length === 0) return;
    const startMs = clock.monotonicMs();
    const positions = await store.commit(commits.map(({ commit }) => commit));
    for (const { task, freeze } of commits) task.committed(freeze);
    await Promise.all(
      commits.map(({ commit, freeze }, index) =>
        live.publish(commit.partition, positions[index]!, freeze.live),
      ),
    );
    for (const { task, commit } of commits) task.visibleOffset = commit.checkpoint.nextOffset;
    for (const waiter of this.#waiters) waiter();
    onCommit?.(countUsers(commits), clock.monotonicMs() - startMs);
  }

  async sessionsOf(userId: string): Promise<SessionRecord[]> {
    const { store, input, definition } = this.#options;
    const partition = partitionOf(userId, input.partitionCount);
    const [record] = await store.getMany(partition, [userKey(userId)]);
    if (!record) return [];
    const { sessions } = decodeUser(userId, record);
    const closed = sessions.filter((session) => !session.hasBody);
    const bodies = await store.getMany(
      partition,
      closed.map((session) => sessionKey(userId, session.offset)),
    );
    for (const [index, session] of closed.entries()) {
      const body = bodies[index];
      if (body) decodeSession(userId, session, body);
    }
    const identity = { logId: input.logId, partition };
    return (
      sessions
        // One that a commit settled between the two reads is no longer among the unsettled.
        .filter((session) => session.hasBody)
        .sort((one, other) => other.end - one.end)
        .map((session) => {
          const open = session.tiersPassed === 0;
          const tier = open ? null : session.tiersPassed - 1;
          const state = open ? 'active' : session.revision > 1 ? 'amended' : 'closed';
          return describe(identity, definition, userId, session, state, tier);
        })
    );
  }

  async waitVisible(partition: number, offset: number, timeoutMs: number): Promise<boolean> {
    const task = this.#tasks[partition];
    if (task === undefined) return false;
    const { clock } = this.#options;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    while (task.visibleOffset <= offset) {
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0 || this.#state === 'stopped') return false;
      await this.#published(leftMs);
    }
    return true;
  }

  status(): PartitionStatus[] {
    const { input } = this.#options;
    return this.#tasks.map((task, partition) => {
      const clockMs = task.partition.clock;
      return {
        partition,
        logId: input.logId,
        visibleOffset: task.visibleOffset,
        endOffset: input.endOffset(partition),
        clockMs: Number.isFinite(clockMs) ? clockMs : null,
        sendingClockMs: Number.isFinite(clockMs) ? task.sendingClock() : null,
        usersInMemory: task.partition.users.size,
        counts: task.partition.counts,
        state: this.#state,
        reason: this.#reason,
      };
    });
  }

  async #run(): Promise<void> {
    const { clock, commitIntervalMs } = this.#options;
    while (!this.#stop.signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      const more = await this.turn();
      const sinceMs = clock.monotonicMs() - this.#lastCommitMs;
      const full = this.#changedUsers() >= COMMIT_USERS;
      // In a backlog nobody waits for the newest event: larger commits write each user less often.
      const dueMs = more ? Math.max(commitIntervalMs, BACKLOG_COMMIT_MS) : commitIntervalMs;
      if (full || sinceMs >= dueMs) {
        // Turns go on while a commit is stored, but one commit follows the other.
        if (this.#committing && full) await this.#commit;
        if (!this.#committing) this.#startCommit();
      }
      await this.#failedCommit();
      if (more) {
        // Requests are served between two turns, however long the backlog.
        await setImmediate();
        continue;
      }
      if (this.#tasks.some((task) => task.hasChanges)) await this.#pause(commitIntervalMs, woken);
      else await this.#pause(IDLE_TURN_MS, woken);
    }
    await this.#commit;
    await this.commit();
  }

  #startCommit(): void {
    this.#lastCommitMs = this.#options.clock.monotonicMs();
    this.#committing = true;
    this.#commit = this.commit().finally(() => {
      this.#committing = false;
      this.#wake();
    });
    // It is awaited, and its failure thrown, by the loop.
    this.#commit.catch(() => {});
  }

  /** Throws when the last commit failed. */
  async #failedCommit(): Promise<void> {
    if (!this.#committing) await this.#commit;
  }

  #changedUsers(): number {
    return this.#tasks.reduce((sum, task) => sum + task.partition.changedUsers, 0);
  }

  async #pause(durationMs: number, woken: Promise<void>): Promise<void> {
    const over = new AbortController();
    await Promise.race([this.#options.clock.sleep(durationMs, over.signal), woken]);
    over.abort();
  }

  #published(timeoutMs: number): Promise<void> {
    const over = new AbortController();
    const published = new Promise<void>((resolve) => {
      const waiter = () => {
        this.#waiters.delete(waiter);
        resolve();
        over.abort();
      };
      this.#waiters.add(waiter);
      void this.#options.clock.sleep(timeoutMs, over.signal).then(waiter);
    });
    return published;
  }
}

function countUsers(commits: readonly TaskCommit[]): number {
  return commits.reduce((sum, { freeze }) => sum + freeze.users.length, 0);
}
