/** How fast the state store commits, reads and opens, and what memory it takes. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRocksStore } from '../src/state/rocksdb-store.ts';
import type { PartitionCommit, StateStore } from '../src/state/state.ts';

const USERS = 1_000_000;
const PARTITIONS = 8;
const USERS_A_COMMIT = 10_000;
const VALUE = Buffer.alloc(300, 'x');
const OUTPUT = Buffer.alloc(800, 'y');
const key = (user: number) => Buffer.from(`user-${user}`);
const residentMb = () => Math.round(process.memoryUsage.rss() / 1e6);

/** One commit over all partitions: each user's record rewritten, its deadline moved by a minute. */
function commitOf(users: readonly number[], round: number, outputs: boolean): PartitionCommit[] {
  return Array.from({ length: PARTITIONS }, (_, partition) => {
    const own = users.filter((user) => user % PARTITIONS === partition);
    return {
      partition,
      writes: own.map((user) => ({ key: key(user), value: VALUE })),
      deadlines: own.map((user) => ({
        userId: `user-${user}`,
        fromMinute: round === 0 ? null : 1000 + round - 1,
        toMinute: 1000 + round,
      })),
      outputs: outputs
        ? own.slice(0, own.length / 10).map((user) => ({
            topic: 'sessions',
            key: `user-${user}`,
            value: OUTPUT,
          }))
        : [],
      checkpoint: { logId: 'bench', nextOffset: round, clockMs: round },
    };
  });
}

async function timed(label: string, count: number, unit: string, run: () => Promise<void>) {
  const started = performance.now();
  const cpu = process.cpuUsage();
  await run();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const rate = Math.round(count / seconds).toLocaleString('en');
  const cost = ((user + system) / count).toFixed(2);
  console.log(`${label}: ${rate} ${unit}/s, ${cost} us CPU each, resident ${residentMb()} MB`);
}

async function fill(store: StateStore): Promise<void> {
  for (let first = 0; first < USERS; first += USERS_A_COMMIT) {
    const users = Array.from({ length: USERS_A_COMMIT }, (_, index) => first + index);
    await store.commit(commitOf(users, 0, false));
  }
}

function sample(count: number, round: number): number[] {
  return [
    ...new Set(Array.from({ length: count }, (_, i) => (i * 7919 + round * 104_729) % USERS)),
  ];
}

const directory = await mkdtemp(join(tmpdir(), 'lull-bench-state-'));
try {
  const options = { directory, partitionCount: PARTITIONS, outputTopics: ['sessions'] };
  console.log(`resident before: ${residentMb()} MB`);
  let store = await openRocksStore(options);
  await timed('commit, new users', USERS, 'users', () => fill(store));
  const rounds = 50;
  await timed('commit, known users, 10% outputs', rounds * USERS_A_COMMIT, 'users', async () => {
    for (let round = 1; round <= rounds; round++) {
      await store.commit(commitOf(sample(USERS_A_COMMIT, round), round, true));
    }
  });
  await timed('multi-get of 10,000', rounds * USERS_A_COMMIT, 'keys', async () => {
    for (let round = 0; round < rounds; round++) {
      await store.getMany(
        0,
        sample(USERS_A_COMMIT, round).map((user) => key(user - (user % PARTITIONS))),
      );
    }
  });
  await timed('sync', 1, 'syncs', async () => void (await store.sync()));
  console.log(`on disk: ${Math.round((await store.sizeBytes()) / 1e6)} MB`);
  await timed('close', 1, 'closes', () => store.close());
  await timed('open', 1, 'opens', async () => {
    store = await openRocksStore(options);
  });
  await store.close();
} finally {
  await rm(directory, { recursive: true });
}
