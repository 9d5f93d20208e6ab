/** The embedded log against a list in memory: random appends, reads, releases, ends and crashes. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../test/support/seeded-random.ts';
import { SimulatedDisk } from '../../test/support/simulated-disk.ts';
import { type Clock, systemClock } from '../ops/clock.ts';
import { readAll } from './log.contract.ts';
import type { LogRecord, NewRecord } from './log.ts';
import { openSegmentLog, type SegmentLog } from './segment-log.ts';

const PARTITIONS = 3;
const RUNS = 150;

type Step =
  | { readonly kind: 'append'; readonly calls: readonly (readonly number[])[] }
  | { readonly kind: 'read'; readonly partition: number; readonly at: number; readonly max: number }
  | { readonly kind: 'release'; readonly share: number }
  | { readonly kind: 'clock'; readonly byMs: number }
  | { readonly kind: 'reopen' }
  | { readonly kind: 'kill' | 'cutPower'; readonly during: readonly (readonly number[])[] };

/** A call's records: for each its partition, by remainder, and its size. */
const call = fc.array(fc.integer({ min: 0, max: 999 }), { maxLength: 12 });
const calls = fc.array(call, { maxLength: 6 });
const partition = fc.nat({ max: PARTITIONS - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('append' as const), calls }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      partition,
      at: fc.double({ min: 0, max: 1.1, noNaN: true }),
      max: fc.integer({ min: 0, max: 5000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('release' as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('clock' as const),
      byMs: fc.integer({ min: -1000, max: 1000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('kill' as const, 'cutPower' as const),
      during: calls,
    }),
  },
);

/** The log and the list that it must equal: by partition, what each offset holds. */
class Pair {
  readonly #random: () => number;
  readonly #disk: SimulatedDisk;
  readonly #segmentBytes: number;
  readonly #content: string[][] = Array.from({ length: PARTITIONS }, () => []);
  readonly #released = new Array<number>(PARTITIONS).fill(0);
  readonly #lastArrivalMs = new Array<number>(PARTITIONS).fill(0);
  #nowMs = 1_000_000;
  #records = 0;
  #log: SegmentLog | null = null;

  constructor(seed: number, segmentBytes: number) {
    this.#random = seededRandom(seed);
    this.#disk = new SimulatedDisk(this.#random);
    this.#segmentBytes = segmentBytes;
  }

  async run(one: Step): Promise<void> {
    const log = this.#log ?? (await this.#open());
    this.#log = log;
    if (one.kind === 'append') await this.#append(log, one.calls);
    else if (one.kind === 'read') await this.#read(log, one.partition, one.at, one.max);
    else if (one.kind === 'release') await this.#release(log, one.share);
    else if (one.kind === 'clock') this.#nowMs += one.byMs;
    else if (one.kind === 'reopen') await this.#reopen(log);
    else await this.#crash(log, one.kind, one.during);
  }

  async end(): Promise<void> {
    for (let p = 0; p < PARTITIONS; p++) await this.#compare(this.#log ?? (await this.#open()), p);
  }

  #open(): Promise<SegmentLog> {
    const clock: Clock = { ...systemClock, nowMs: () => this.#nowMs };
    return openSegmentLog({
      directory: '/data',
      name: 'events',
      partitionCount: PARTITIONS,
      fsync: 'always',
      clock,
      segmentBytes: this.#segmentBytes,
      files: this.#disk.mount(),
    });
  }

  /** Sizes are mostly small; one in fifty fills a stretch of its own. */
  #newRecords(numbers: readonly number[]): NewRecord[] {
    return numbers.map((number) => {
      const bytes = number % 50 === 0 ? 300_000 : number % 200;
      const value = Buffer.alloc(bytes, this.#records);
      return { partition: number % PARTITIONS, key: `k${this.#records++}`, value };
    });
  }

  async #append(log: SegmentLog, calls: readonly (readonly number[])[]): Promise<void> {
    const made = calls.map((numbers) => this.#newRecords(numbers));
    const offsets = await Promise.all(made.map((records) => log.append(records)));
    for (const [index, records] of made.entries()) {
      const wanted = records.map((one) => this.#content[one.partition]!.push(described(one)) - 1);
      assert.deepEqual(offsets[index], wanted);
    }
  }

  async #read(log: SegmentLog, partition: number, at: number, max: number): Promise<void> {
    const content = this.#content[partition]!;
    const from = Math.floor(at * content.length);
    const records = await log.read(partition, from, max);
    const first = Math.max(from, log.firstOffset(partition));
    this.#check(partition, records, first);
    const bytes = records.slice(0, -1).reduce((sum, one) => sum + one.value.length, 0);
    assert.ok(bytes <= max);
    assert.equal(records.length > 0, first < content.length);
    if (records.length === 0) return;
    const arrived = await log.offsetAt(partition, records[0]!.arrivalMs);
    assert.ok(arrived <= first);
    if (arrived === 0) return;
    const [before] = await log.read(partition, arrived - 1, 1);
    assert.ok(arrived === log.firstOffset(partition) || before!.arrivalMs < records[0]!.arrivalMs);
  }

  async #release(log: SegmentLog, share: number): Promise<void> {
    for (const [p, content] of this.#content.entries()) {
      this.#released[p] = Math.max(this.#released[p]!, Math.floor(share * content.length));
    }
    await log.release(this.#released);
    this.#checkFirst(log);
  }

  async #reopen(log: SegmentLog): Promise<void> {
    await log.close();
    this.#log = await this.#open();
    assert.equal(this.#log.cutBytes, 0);
    this.#checkFirst(this.#log);
    for (let p = 0; p < PARTITIONS; p++) {
      assert.equal(this.#log.endOffset(p), this.#content[p]!.length);
    }
  }

  /** Of the calls under way, each partition has kept the first so many records. */
  async #crash(
    log: SegmentLog,
    kind: 'kill' | 'cutPower',
    during: readonly (readonly number[])[],
  ): Promise<void> {
    const made = during.map((numbers) => this.#newRecords(numbers));
    const answered = new Set<NewRecord>();
    const appends = made.map(async (records) => {
      await log.append(records);
      for (const one of records) answered.add(one);
    });
    for (let turns = Math.floor(this.#random() * 12); turns > 0; turns--) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#disk[kind]();
    await Promise.allSettled(appends);
    this.#log = await this.#open();
    for (const [p, content] of this.#content.entries()) {
      const under = made.flat().filter((one) => one.partition === p);
      const mustHave = content.length + under.filter((one) => answered.has(one)).length;
      content.push(...under.map(described));
      const end = this.#log.endOffset(p);
      assert.ok(end >= mustHave && end <= content.length, `${end} of ${content.length} records`);
      content.length = end;
      await this.#compare(this.#log, p);
    }
    this.#checkFirst(this.#log);
  }

  async #compare(log: SegmentLog, partition: number): Promise<void> {
    const first = log.firstOffset(partition);
    const records = await readAll(log, partition);
    assert.equal(records.length, this.#content[partition]!.length - first);
    this.#check(partition, records, first);
    for (const { arrivalMs } of records.slice(-1)) {
      assert.ok(arrivalMs >= this.#lastArrivalMs[partition]!);
      this.#lastArrivalMs[partition] = arrivalMs;
    }
  }

  #check(partition: number, records: readonly LogRecord[], first: number): void {
    for (const [index, one] of records.entries()) {
      assert.equal(one.offset, first + index);
      assert.equal(described(one), this.#content[partition]![one.offset]);
      assert.ok(index === 0 || one.arrivalMs >= records[index - 1]!.arrivalMs);
    }
  }

  #checkFirst(log: SegmentLog): void {
    for (let p = 0; p < PARTITIONS; p++) {
      const first = log.firstOffset(p);
      assert.ok(first <= this.#released[p]! || first === 0, `${first} is not released`);
    }
  }
}

function described({ key, value }: { key: string; value: Uint8Array }): string {
  return `${key} ${value.length} ${value[0]} ${value.at(-1)}`;
}

it('equals a list in memory, whatever is done to it', async (t) => {
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  const property = fc.asyncProperty(
    fc.integer(),
    fc.constantFrom(1, 3000, 100_000),
    fc.array(step, { maxLength: 60, size: 'max' }),
    async (diskSeed, segmentBytes, steps) => {
      const pair = new Pair(diskSeed, segmentBytes);
      for (const one of steps) await pair.run(one);
      await pair.end();
    },
  );
  await fc.assert(property, { seed, numRuns: RUNS });
});
