/** A naive model of the state store, and random steps that hold a store against it. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readAll } from '../log/log.contract.ts';
import type { Checkpoint, DeadlineEntry, PartitionCommit, StateStore } from './state.ts';

const KEYS = ['', 'a', 'ab', 'a\0', 'a\u00ff', 'b', '\u{1f600}', '\uffee'];
const MINUTES = 6;

export interface StateSettings {
  readonly partitionCount: number;
  readonly outputTopics: readonly string[];
}

export interface StateUnderTest {
  /** Opened with the settings above, and empty. */
  readonly store: StateStore;
  /** Opens again what was closed before. */
  reopen(): Promise<StateStore>;
  /** Resolves when readers of outputs have what was committed; default: they have it at once. */
  settled?(): Promise<void>;
  dispose(): Promise<void>;
}

/** As a processor does before anything else. */
export async function openAll(store: StateStore, partitionCount: number): Promise<StateStore> {
  const partitions = [...Array(partitionCount).keys()];
  await Promise.all(partitions.map((partition) => store.open(partition)));
  return store;
}

interface Change {
  readonly partition: number;
  readonly writes: readonly (readonly [string, string | null])[];
  /** New minutes of users; where their entries were, the model knows. */
  readonly moves: readonly (readonly [string, number | null])[];
  readonly outputs: readonly (readonly [string, string])[];
}

export type Step =
  | { readonly kind: 'commit'; readonly changes: readonly Change[]; readonly wait: boolean }
  | { readonly kind: 'release'; readonly topic: string; readonly share: number }
  | { readonly kind: 'sync' | 'reopen' }
  | {
      readonly kind: 'look';
      readonly prefix: string;
      readonly after: DeadlineEntry | null;
      readonly untilMinute: number;
      readonly limit: number;
    };

/** `releasing`: whether outputs are let go of as well. */
export function stepsArbitrary(
  { partitionCount, outputTopics }: StateSettings,
  releasing: boolean,
) {
  const key = fc.constantFrom(...KEYS);
  const minute = fc.nat(MINUTES);
  const change = fc.record({
    partition: fc.nat(partitionCount - 1),
    writes: fc.array(fc.tuple(key, fc.option(fc.string({ maxLength: 5 }))), { maxLength: 6 }),
    moves: fc.uniqueArray(fc.tuple(key, fc.option(minute)), {
      maxLength: 6,
      selector: ([user]) => user,
    }),
    outputs: fc.array(fc.tuple(fc.constantFrom(...outputTopics), fc.string({ maxLength: 5 })), {
      maxLength: 4,
    }),
  });
  const changes = fc.uniqueArray(change, {
    maxLength: partitionCount,
    selector: ({ partition }) => partition,
  });
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: kind('commit'), changes, wait: fc.boolean() }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: kind('look'),
        prefix: fc.constantFrom('', 'a', 'ab', '\u00ff'),
        after: fc.option(fc.record({ minute, userId: key })),
        untilMinute: minute,
        limit: fc.nat(8),
      }),
    },
    {
      weight: releasing ? 1 : 0,
      arbitrary: fc.record({
        kind: kind('release'),
        topic: fc.constantFrom(...outputTopics),
        share: fc.double({ min: 0, max: 1.2, noNaN: true }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('sync', 'reopen') }) },
  );
  return fc.array(step, { minLength: 5, maxLength: 40 });
}

function kind<K extends Step['kind']>(name: K): fc.Arbitrary<K> {
  return fc.constant(name);
}

/** Runs the steps against a store and the model; throws where they differ. */
export async function runSteps(
  steps: readonly Step[],
  under: StateUnderTest,
  partitionCount: number,
): Promise<void> {
  const model = new StateModel();
  let store = await openAll(under.store, partitionCount);
  const waiting: Promise<unknown>[] = [];
  for (const step of steps) {
    if (step.kind === 'commit') {
      const committing = store.commit(step.changes.map((change) => model.commit(change)));
      waiting.push(committing);
      if (step.wait) await Promise.all(waiting);
      continue;
    }
    await Promise.all(waiting);
    if (step.kind === 'sync') assert.deepEqual(await store.sync(), model.nextOffsets());
    else if (step.kind === 'release') await release(store, model, step.topic, step.share);
    else if (step.kind === 'look') await look(store, model, step);
    else {
      await store.close();
      store = await openAll(await under.reopen(), partitionCount);
    }
  }
  await Promise.all(waiting);
  await under.settled?.();
  await compare(store, model);
  await store.close();
}

class StateModel {
  readonly partitions = new Map<number, PartitionModel>();
  readonly firstOffsets = new Map<string, number>();

  partition(partition: number): PartitionModel {
    const known = this.partitions.get(partition) ?? new PartitionModel();
    this.partitions.set(partition, known);
    return known;
  }

  nextOffsets(): Map<number, number> {
    const sorted = [...this.partitions].filter(([, { checkpoint }]) => checkpoint !== null);
    return new Map(sorted.map(([partition, own]) => [partition, own.checkpoint!.nextOffset]));
  }

  /** Applies a change, and gives it as the store takes it. */
  commit({ partition, writes, moves, outputs }: Change): PartitionCommit {
    const own = this.partition(partition);
    const nextOffset = (own.checkpoint?.nextOffset ?? 0) + 1;
    own.checkpoint = { logId: 'log', nextOffset, clockMs: nextOffset * 1000 };
    for (const [key, value] of writes) {
      if (value === null) own.state.delete(key);
      else own.state.set(key, value);
    }
    const deadlines = moves.map(([userId, toMinute]) => {
      const fromMinute = own.deadlines.get(userId) ?? null;
      if (toMinute === null) own.deadlines.delete(userId);
      else own.deadlines.set(userId, toMinute);
      return { userId, fromMinute, toMinute };
    });
    for (const [topic, value] of outputs) own.outputs(topic).push(value);
    return {
      partition,
      writes: writes.map(([key, value]) => ({
        key: Buffer.from(key),
        value: value === null ? null : Buffer.from(value),
      })),
      deadlines,
      outputs: outputs.map(([topic, value]) => ({ topic, key: value, value: Buffer.from(value) })),
      checkpoint: own.checkpoint,
    };
  }
}

class PartitionModel {
  checkpoint: Checkpoint | null = null;
  readonly state = new Map<string, string>();
  readonly deadlines = new Map<string, number>();
  readonly #outputs = new Map<string, string[]>();

  /** Every output ever, so that its place is its offset. */
  outputs(topic: string): string[] {
    const known = this.#outputs.get(topic) ?? [];
    this.#outputs.set(topic, known);
    return known;
  }

  /** All entries of the deadline index, in its order. */
  entries(): DeadlineEntry[] {
    const entries = [...this.deadlines].map(([userId, minute]) => ({ minute, userId }));
    return entries.sort(inOrder);
  }
}

function inOrder(a: DeadlineEntry, b: DeadlineEntry): number {
  return a.minute - b.minute || byBytes(a.userId, b.userId);
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

async function release(store: StateStore, model: StateModel, topic: string, share: number) {
  const offsets: number[] = [];
  for (let partition = 0; partition < store.topic(topic).partitionCount; partition++) {
    const end = model.partition(partition).outputs(topic).length;
    const offset = Math.floor(end * share);
    offsets.push(offset);
    const place = `${topic} ${partition}`;
    const first = Math.max(model.firstOffsets.get(place) ?? 0, Math.min(offset, end));
    model.firstOffsets.set(place, first);
  }
  await store.releaseOutputs(topic, offsets);
}

async function look(store: StateStore, model: StateModel, step: Step & { kind: 'look' }) {
  for (const [partition, own] of model.partitions) {
    const { after, untilMinute, limit } = step;
    const due = own.entries().filter((entry) => entry.minute <= untilMinute);
    const wanted = after === null ? due : due.filter((entry) => inOrder(entry, after) > 0);
    const found = await store.dueUsers(partition, after, untilMinute, limit);
    assert.deepEqual(found, wanted.slice(0, limit));
    const keys = [...own.state.keys()].sort(byBytes);
    const matching = keys.filter((key) => Buffer.from(key).indexOf(step.prefix) === 0);
    const scanned: string[] = [];
    for await (const { key, value } of store.scan(partition, Buffer.from(step.prefix))) {
      scanned.push(Buffer.from(key).toString());
      assert.equal(Buffer.from(value).toString(), own.state.get(scanned.at(-1)!));
    }
    assert.deepEqual(scanned, matching);
  }
}

async function compare(store: StateStore, model: StateModel) {
  for (const [partition, own] of model.partitions) {
    assert.deepEqual(await store.open(partition), own.checkpoint);
    const values = await store.getMany(
      partition,
      KEYS.map((key) => Buffer.from(key)),
    );
    assert.deepEqual(
      values.map((value) => value && Buffer.from(value).toString()),
      KEYS.map((key) => own.state.get(key) ?? null),
    );
    assert.deepEqual(await store.dueUsers(partition, null, MINUTES, 100), own.entries());
    for (const topic of ['sessions', 'late-events']) {
      const outputs = own.outputs(topic);
      const first = model.firstOffsets.get(`${topic} ${partition}`) ?? 0;
      const reader = store.topic(topic);
      const records = await readAll(reader, partition);
      assert.deepEqual(
        records.map(({ value }) => Buffer.from(value).toString()),
        outputs.slice(first),
      );
      assert.ok(reader.endOffset(partition) >= outputs.length);
      // Offsets may have holes where nothing is ever released.
      if (model.firstOffsets.size === 0) continue;
      const bounds = [reader.firstOffset(partition), reader.endOffset(partition)];
      assert.deepEqual(bounds, [first, outputs.length]);
    }
  }
}
