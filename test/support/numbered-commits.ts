/** Commits whose number tells what a store must hold after them; run, it makes them for ever. */
import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import { openRocksStore } from '../../src/state/rocksdb-store.ts';
import type { PartitionCommit, StateStore } from '../../src/state/state.ts';

const PARTITIONS = [0, 1] as const;
const USERS = 20;
const KEYS_A_COMMIT = 10;
const KEYS = 37 * KEYS_A_COMMIT;
const KEPT_OUTPUTS = 60;
const SETTINGS = { partitionCount: PARTITIONS.length, outputTopics: ['sessions'] };

export function openNumberedStore(directory: string): Promise<StateStore> {
  return openRocksStore({ directory, ...SETTINGS });
}

/** Commit `number`, from 1; values of about `valueBytes` that no other commit writes. */
export function numberedCommit(number: number, valueBytes: number): PartitionCommit[] {
  return PARTITIONS.map((partition) => ({
    partition,
    writes: keysOf(number).map((key) => ({ key, value: numberedValue(number, valueBytes) })),
    deadlines: [
      {
        userId: `user-${number % USERS}`,
        fromMinute: number > USERS ? number - USERS : null,
        toMinute: number,
      },
    ],
    outputs: [{ topic: 'sessions', key: 'k', value: numberedValue(number, 100) }],
    checkpoint: { logId: 'log', nextOffset: number, clockMs: number },
  }));
}

/** The number of the last commit in the store, of which it must hold all, and of no later one. */
export async function lastCommit(store: StateStore, valueBytes: number): Promise<number> {
  const last = (await store.open(0))?.nextOffset ?? 0;
  for (const partition of PARTITIONS) {
    assert.equal((await store.open(partition))?.nextOffset ?? 0, last);
    await checkState(store, partition, last, valueBytes);
    const due = await store.dueUsers(partition, null, 1e9, 1000);
    const minutes = Array.from({ length: Math.min(last, USERS) }, (_, n) => last - n).reverse();
    const wanted = minutes.map((minute) => ({ minute, userId: `user-${minute % USERS}` }));
    assert.deepEqual(due, wanted);
    const topic = store.topic('sessions');
    assert.equal(topic.endOffset(partition), last);
    assert.ok(topic.firstOffset(partition) <= last);
    const outputs = await topic.read(partition, 0, 1e9);
    assert.equal(outputs.length, last - topic.firstOffset(partition));
    for (const { offset, value } of outputs) {
      assert.ok(numberedValue(offset + 1, 100).equals(value), `output ${offset}`);
    }
  }
  return last;
}

async function checkState(store: StateStore, partition: number, last: number, valueBytes: number) {
  const writers = new Map<string, number>();
  for (let number = Math.max(1, last - KEYS / KEYS_A_COMMIT); number <= last; number++) {
    for (const key of keysOf(number)) writers.set(key.toString(), number);
  }
  const values = await store.getMany(
    partition,
    [...writers.keys()].map((key) => Buffer.from(key)),
  );
  for (const [index, [key, number]] of [...writers].entries()) {
    // Not deepEqual, which would take minutes to tell two long values apart.
    const value = Buffer.from(values[index] ?? '');
    assert.ok(numberedValue(number, valueBytes).equals(value), `${key} of commit ${number}`);
  }
  let count = 0;
  for await (const _ of store.scan(partition, Buffer.from('key-'))) count++;
  assert.equal(count, writers.size);
}

function keysOf(number: number): Buffer[] {
  return Array.from({ length: KEYS_A_COMMIT }, (_, n) =>
    Buffer.from(`key-${(number * KEYS_A_COMMIT + n) % KEYS}`),
  );
}

function numberedValue(number: number, bytes: number): Buffer {
  const value = Buffer.alloc(bytes + (number % 7), number % 251);
  value.write(`${number};`);
  return value;
}

/** Goes on from where the folder is; prints `synced NUMBER` for what must survive from now on. */
async function run(directory: string, valueBytes: number): Promise<void> {
  const store = await openNumberedStore(directory);
  let number = await lastCommit(store, valueBytes);
  for (let round = 0; ; round++) {
    for (let count = 1 + (round % 10); count > 0; count--) {
      await store.commit(numberedCommit(++number, valueBytes));
    }
    const released = number - KEPT_OUTPUTS;
    if (round % 8 === 7)
      await store.releaseOutputs(
        'sessions',
        PARTITIONS.map(() => released),
      );
    const synced = (await store.sync()).get(0);
    writeSync(1, `synced ${synced}\n`);
  }
}

if (import.meta.main) await run(process.argv[2]!, Number(process.argv[3]));
