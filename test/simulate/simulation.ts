/** One seeded run of the embedded loop: events, crashes, and what the naive model says of it. */
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import type { SessionDefinition } from '../../src/core/definition.ts';
import type { Live } from '../../src/live/live.ts';
import type { NewRecord } from '../../src/log/log.ts';
import type { PartitionStatus } from '../../src/state/query.ts';
import type { StateStore } from '../../src/state/state.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { MemoryTopic } from '../support/memory-topic.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { CRASH_POINTS, type CrashPoint, Life } from './crash-points.ts';
import { FaultyLive, FaultyReader, FaultyStore } from './faulty-parts.ts';
import { type Checked, checkAtEnd, checkAtRest } from './model-check.ts';
import { PartitionModel, type Tally } from './partition-model.ts';
import type { SystemCode } from './system-code.ts';
import { VirtualClock } from './virtual-clock.ts';
import { Visitors } from './visitors.ts';

const MIN_EVENTS = 200;
const MIN_CRASHES = 3;
/** Actions after which a crash point that was not reached makes room for another. */
const PATIENCE = 60;
/** No backlog here takes so many turns. */
const MANY_TURNS = 1000;
const START_MS = Date.UTC(2026, 0, 1, 0, 0, 30);
const NEVER_MS = 1e14;
const OUTPUTS = ['sessions', 'late-events', 'rejected-events'];

export interface SimulationOptions {
  readonly seed: number;
  readonly code: SystemCode;
  /** The process runs by itself, as it does in earnest; else it is led from turn to turn. */
  readonly selfDriven?: boolean;
  /** Stands between the loop and its state, to plant a bug there. */
  readonly wrapStore?: (store: StateStore) => StateStore;
}

/** Rejects, with what differs, when the system did not do what the model says. */
export async function simulate(options: SimulationOptions): Promise<Tally> {
  return new Simulation(options).run();
}

type Processor = Awaited<ReturnType<SystemCode['SessionProcessor']['open']>>;

class Simulation {
  readonly #options: SimulationOptions;
  readonly #random: () => number;
  readonly #definition: SessionDefinition;
  readonly #partitionCount: number;
  readonly #memoryUsers: number;
  readonly #withIds: boolean;
  readonly #clock = new VirtualClock(START_MS);
  readonly #visitors: Visitors;
  readonly #tally: Tally = {};
  /** What the naive model makes of all that became durable, by partition. */
  readonly #models: readonly PartitionModel[];
  #input: MemoryTopic;
  #store: MemoryStore;
  #life: Life;
  #processor!: Processor;
  /** Ends with the process, where it drives itself. */
  #running: Promise<void> = new Promise(() => {});
  #live!: Live;
  /** Appends that were not acknowledged yet. */
  #unacknowledged: NewRecord[][] = [];
  #operations: Promise<unknown>[] = [];
  #commit: Promise<unknown> = Promise.resolve();
  #actions = 0;
  #appended = 0;
  #crashes = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#definition = this.#chooseDefinition();
    this.#partitionCount = this.#pick([1, 2, 3]);
    this.#memoryUsers = this.#pick([0, 3, 1000]);
    this.#withIds = this.#random() < 0.6;
    this.#life = new Life(this.#random);
    const clock = this.#clock;
    const partitionCount = this.#partitionCount;
    this.#visitors = new Visitors({
      definition: this.#definition,
      ...{ partitionCount, clock, random: this.#random, withIds: this.#withIds },
    });
    const logId = `log-${options.seed}`;
    this.#models = Array.from(
      { length: partitionCount },
      (_, partition) => new PartitionModel(this.#definition, logId, partition, partitionCount),
    );
    const topic = { name: 'user-events', logId, partitionCount, clock };
    this.#input = new MemoryTopic({ ...topic, sync: this.#appendHook() });
    const store = { partitionCount, outputTopics: OUTPUTS, clock };
    this.#store = new MemoryStore({ ...store, write: this.#commitHook() });
  }

  async run(): Promise<Tally> {
    await this.#start();
    while (this.#appended < MIN_EVENTS || this.#crashes < MIN_CRASHES) {
      await this.#act();
      if (this.#life.isOver) await this.#recover();
    }
    await this.#finish();
    return this.#tally;
  }

  #chooseDefinition(): SessionDefinition {
    const gapMs = this.#pick([10_000, 60_000, 30 * 60_000]);
    const graceMs = Math.floor(gapMs / 6);
    const tiersMs = this.#pick([[graceMs], [0, 2 * gapMs], [graceMs, 2 * gapMs, 48 * gapMs]]);
    return {
      gapMs,
      tiersMs,
      maxDurationMs: this.#pick([0, 0, 3 * gapMs]),
      maxEvents: this.#pick([0, 0, 4]),
      endTypes: this.#pick([[], ['SESSION_END']]),
      maxFutureMs: Math.floor(gapMs / 6),
      idleMs: this.#pick([NEVER_MS, Math.floor(gapMs / 3)]),
    };
  }

  /** Opens the process on what there is; it may crash while it restores. */
  async #start(): Promise<void> {
    const { code, wrapStore = (store: StateStore) => store } = this.#options;
    for (;;) {
      this.#arm();
      const definition = this.#definition;
      this.#live = code.openProcessLive({
        clock: this.#clock,
        ttlMs: NEVER_MS,
        maxUsers: 1000,
        decode: (userId, bytes, partition) =>
          code.decodeLive(definition, { logId: this.#input.logId, partition }, userId, bytes),
      });
      await this.#life.await(
        (async () => {
          this.#processor = await code.SessionProcessor.open({
            definition,
            input: new FaultyReader(this.#input, this.#life),
            store: new FaultyStore(wrapStore(this.#store), this.#life),
            live: new FaultyLive(this.#live, this.#life),
            clock: this.#clock,
            commitIntervalMs: 1,
            memoryUsers: this.#memoryUsers * this.#partitionCount,
          });
          await this.#processor.restoreLive();
        })(),
      );
      if (!this.#life.isOver) break;
      this.#bury();
    }
    if (!this.#options.selfDriven) return;
    this.#running = this.#processor.start();
    // It is thrown where it is waited for, which is as long as this life lasts.
    this.#running.catch(() => {});
  }

  async #recover(): Promise<void> {
    this.#bury();
    if (this.#random() < 0.3) this.#clock.advance(Math.floor(this.#random() * 2e6));
    await this.#start();
    // Whoever was not told that its events are stored sends them again.
    const again = this.#unacknowledged.splice(0);
    if (this.#withIds) for (const records of again) this.#append(records);
  }

  /** What a power loss or a kill leaves behind becomes what the next life finds. */
  #bury(): void {
    this.#count(`crash: ${this.#life.endedAt}`);
    this.#crashes++;
    this.#life = new Life(this.#random);
    this.#operations = [];
    this.#commit = Promise.resolve();
    const written = this.#store.unsyncedCount;
    // A kill leaves all that was written, and maybe the write under way; a power loss less.
    const kept =
      this.#random() < 0.5
        ? written + Math.floor(this.#random() * (this.#store.waitingCount + 1))
        : Math.floor(this.#random() * (written + this.#store.waitingCount + 1));
    if (kept < written) this.#count('power loss that took commits');
    this.#store = this.#store.crash(kept, this.#commitHook());
    this.#input = this.#input.crash(this.#random(), this.#appendHook());
  }

  #arm(): void {
    const point = this.#pick(CRASH_POINTS);
    const times = point === 'restoring' ? 1 : 1 + Math.floor(this.#random() * 8);
    this.#life.arm(point, times);
  }

  async #act(): Promise<void> {
    if (++this.#actions % PATIENCE === 0) this.#arm();
    const luck = this.#random();
    if (luck < 0.4) {
      const records = Array.from({ length: this.#pick([1, 1, 2, 5]) }, () => this.#visitors.next());
      this.#append(records);
      if (this.#random() < 0.7) await this.#settled();
    } else if (luck < 0.75) await this.#turn();
    else if (luck < 0.87) {
      await this.#life.await(this.#commit);
      this.#startCommit();
      if (this.#random() < 0.5) await this.#settled();
    } else if (luck < 0.91) this.#clock.advance(this.#pauseMs());
    else if (luck < 0.92) await this.#breakSilence();
    else if (luck < 0.98) this.#operate(this.#syncAndRelease());
    else await this.#rest();
  }

  /** After a long silence comes word of what was said in the midst of it, and silence again. */
  async #breakSilence(): Promise<void> {
    const silenceMs = 3 * this.#pauseMs();
    this.#clock.advance(silenceMs);
    await this.#turn();
    this.#append([this.#visitors.delayed(this.#random() * silenceMs)]);
    await this.#rest();
    this.#clock.advance(silenceMs);
    await this.#rest();
  }

  #pauseMs(): number {
    const { gapMs, tiersMs } = this.#definition;
    return Math.floor(this.#random() * (gapMs + this.#pick(tiersMs)) * 1.2);
  }

  #append(records: NewRecord[]): void {
    this.#appended += records.length;
    this.#unacknowledged.push(records);
    const acknowledged = this.#input.append(records).then(() => {
      this.#unacknowledged = this.#unacknowledged.filter((other) => other !== records);
    });
    this.#operate(acknowledged);
  }

  async #turn(): Promise<void> {
    if (this.#options.selfDriven) await this.#wait(1);
    else await this.#life.await(this.#processor.turn());
    if (this.#processor.status().some(runsOnIdly)) this.#count('turns by the idle clock');
    await this.#life.await(this.#life.pass('applied, not frozen'));
  }

  /** Time goes on, and what has been waiting for it runs. */
  async #wait(durationMs: number): Promise<void> {
    this.#clock.advance(durationMs);
    const rounds = (async () => {
      for (let round = 0; round < 10; round++) await setImmediate();
    })();
    await this.#life.await(Promise.race([rounds, this.#running]));
  }

  #startCommit(): void {
    if (this.#life.isOver || this.#options.selfDriven) return;
    this.#commit = this.#processor.commit();
    this.#operate(this.#commit);
  }

  async #syncAndRelease(): Promise<void> {
    const store = new FaultyStore(this.#store, this.#life);
    const input = this.#input;
    const synced = await store.sync();
    await this.#showModels();
    const offsets = this.#models.map((_, partition) => synced.get(partition) ?? 0);
    await input.release(offsets);
  }

  /** Lets an operation run beside what follows. */
  #operate(operation: Promise<unknown>): void {
    operation.catch(() => {});
    this.#operations.push(operation);
  }

  async #settled(): Promise<void> {
    await this.#life.await(Promise.all(this.#operations));
    if (!this.#life.isOver) this.#operations = [];
  }

  /** Everything that can be done without time going on. */
  async #drain(): Promise<void> {
    await this.#settled();
    // Longer than it pauses when nothing comes, thrice.
    if (this.#options.selfDriven) {
      for (let round = 0; round < 3; round++) await this.#wait(250);
      return;
    }
    let turns = 0;
    for (let more = true; more && !this.#life.isOver; ) {
      assert.ok(++turns < MANY_TURNS, 'it never comes to rest');
      await this.#life.await(
        this.#processor.turn().then((again) => {
          more = again;
        }),
      );
    }
    this.#startCommit();
    await this.#settled();
  }

  /** Comes to rest where it is, and looks at what can be asked of it then. */
  async #rest(): Promise<void> {
    await this.#drain();
    if (this.#life.isOver) return;
    await this.#showModels();
    const processor = this.#processor;
    const { users } = this.#visitors;
    this.#count('looked at while at rest');
    await this.#life.await(checkAtRest({ ...this.#checked(), processor, users }));
  }

  /** Closes all sessions by events of users who have nothing else, and compares everything. */
  async #finish(): Promise<void> {
    await this.#life.await(this.#commit);
    await this.#drain();
    while (this.#life.isOver) await this.#recover();
    this.#life.arm('restoring', Number.POSITIVE_INFINITY);
    await this.#drain();
    const { gapMs, tiersMs } = this.#definition;
    this.#clock.advance(gapMs + tiersMs.at(-1)! + 2 * this.#definition.maxFutureMs + 1000);
    for (let partition = 0; partition < this.#partitionCount; partition++) {
      this.#append([this.#visitors.ownEvent(partition)]);
    }
    await this.#drain();
    await this.#processor.close();
    await this.#showModels();
    await checkAtEnd({ ...this.#checked(), store: this.#store, tally: this.#tally });
  }

  #checked(): Checked {
    return {
      definition: this.#definition,
      models: this.#models,
      live: this.#live,
      exact: this.#definition.idleMs === NEVER_MS,
    };
  }

  /** Shows the models what is durable, before the log may let go of it. */
  async #showModels(): Promise<void> {
    const input = this.#input;
    for (const [partition, model] of this.#models.entries()) {
      model.take(await input.read(partition, model.nextOffset, Number.POSITIVE_INFINITY));
    }
  }

  #appendHook(): () => Promise<void> {
    const life = this.#life;
    return () => life.pass('an append under way');
  }

  #commitHook(): () => Promise<void> {
    const life = this.#life;
    return () => life.pass('frozen, not stored');
  }

  #count(what: string): void {
    this.#tally[what] = (this.#tally[what] ?? 0) + 1;
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)]!;
  }
}

function runsOnIdly({ clockMs, sendingClockMs }: PartitionStatus): boolean {
  return (sendingClockMs ?? 0) > (clockMs ?? 0);
}

export const ALL_CRASHES = CRASH_POINTS.map((point: CrashPoint) => `crash: ${point}`);
