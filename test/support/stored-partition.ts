/**
 * A partition over a store that is a map: for tests that cut a stream into commits and restarts.
 */
import { Buffer } from 'node:buffer';
import type { SessionDefinition } from '../../src/core/definition.ts';
import type { Event } from '../../src/core/event.ts';
import { Loader, type Want } from '../../src/core/loader.ts';
import type { Fate, SentRecord } from '../../src/core/output.ts';
import { Partition } from '../../src/core/partition.ts';

const MINUTE_MS = 60_000;
const SWEEP_USERS = 1000;

export class StoredPartition {
  readonly records = new Map<string, Uint8Array>();
  /** User by deadline minute, as the store's index has it. */
  readonly deadlines = new Map<string, number>();
  readonly sent: SentRecord[] = [];
  partition: Partition;
  private loader: Loader;
  private committedClock = Number.NEGATIVE_INFINITY;
  private readonly makePartition: () => Partition;

  constructor(definition: SessionDefinition, logId: string, partition: number) {
    this.makePartition = () =>
      new Partition({ definition, identity: { logId, partition }, stored: true });
    this.partition = this.makePartition();
    this.loader = new Loader(this.partition);
  }

  apply(event: Event, offset: number, arrivalMs: number | null): Fate {
    this.load((wants) => this.loader.want(event.userId, event.timestamp, wants));
    return this.partition.apply(event, offset, arrivalMs);
  }

  /** Sends what is due by a sending clock, users included that only the store knows of. */
  sweep(sendingClockMs = this.partition.clock): void {
    for (const [userId, minute] of this.deadlines) {
      if (minute * MINUTE_MS > sendingClockMs) continue;
      this.load((wants) => this.loader.wantDue(userId, wants));
    }
    while (this.partition.sweep(sendingClockMs, SWEEP_USERS) === SWEEP_USERS);
  }

  commit(sendingClockMs = this.partition.clock): void {
    const freeze = this.loader.freeze(sendingClockMs);
    for (const { key, value } of freeze.writes) {
      if (value === null) this.records.delete(nameOf(key));
      else this.records.set(nameOf(key), value.slice());
    }
    for (const { userId, fromMinute, toMinute } of freeze.deadlines) {
      const indexed = this.deadlines.get(userId) ?? null;
      if (indexed !== fromMinute) throw new Error(`deadline index: ${indexed}, not ${fromMinute}`);
      if (toMinute === null) this.deadlines.delete(userId);
      else this.deadlines.set(userId, toMinute);
    }
    this.sent.push(...freeze.sent);
    this.committedClock = freeze.clock;
    this.loader.committed(freeze);
  }

  /** Lets go of memory, as after a stop: what was not committed is gone. */
  restart(): void {
    this.partition = this.makePartition();
    this.partition.clock = this.committedClock;
    this.loader = new Loader(this.partition);
  }

  /** Puts all but a few users back into the store, without a restart. */
  evict(keep: number): void {
    this.loader.evict(keep, this.partition.clock);
  }

  /** All users of the store in memory, for looking at them; the partition is only for that then. */
  loadAll(): Partition {
    this.restart();
    for (const name of this.records.keys()) {
      const key = Buffer.from(name, 'hex');
      if (key[0] !== 1) continue;
      const userId = key.subarray(1).toString('utf8');
      this.load((wants) => {
        this.loader.wantDue(userId, wants);
        for (const session of this.partition.users.get(userId)?.sessions ?? []) {
          this.loader.want(userId, session.start, wants);
        }
      });
    }
    return this.partition;
  }

  private load(ask: (wants: Want[]) => void): void {
    for (;;) {
      const wants: Want[] = [];
      ask(wants);
      if (wants.length === 0) return;
      const values = wants.map(({ key }) => this.records.get(nameOf(key)) ?? null);
      this.loader.install(wants, values);
    }
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key).toString('hex');
}
