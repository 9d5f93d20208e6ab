/** How fast the state store commits, reads and opens, and what memory it takes. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRocksStore } from '../src/state/rocksdb-store.ts';
import type { PartitionCommit, StateStore } from '../src/state/state.ts';

const USERS = 1_000_000;
const PARTITIONS = 8;
const USERS_A_COMMIT = 10_000;
/** Sessions a partition and commit, in so many commits, each alive for so many. */
const CHURN_SESSIONS = 300;
const CHURN_ROUNDS = 400;
const CHURN_ALIVE = 20;
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

/** Sessions that come and go: what is on disk must follow what is alive, not what was written. */
async function churn(store: StateStore): Promise<void> {
  for (let round = 0; round < CHURN_ROUNDS; round++) {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    const own = (of: number) =>
      Array.from({ length: CHURN_SESSIONS }, (_, n) => Buffer.from(`s${of}-${n}`));
    await store.commit(
      partitions.map((partition) => ({
        partition,
        writes: [
          ...own(round).map((key) => ({ key, value: VALUE })),
          ...own(round - CHURN_ALIVE).map((key) => ({ key, value: null })),
        ],
        deadlines: [],
        outputs: own(round).map(() => ({ topic: 'sessions', key: 'user', value: OUTPUT })),
        checkpoint: { logId: 'bench', nextOffset: round, clockMs: round },
      })),
    );
    const topic = store.topic('sessions');
    const kept = CHURN_ALIVE * CHURN_SESSIONS;
    const released = partitions.map((partition) => topic.endOffset(partition) - kept);
    if (round % 10 === 9) await store.releaseOutputs('sessions', released);
  }
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

const parent = await mkdtemp(join(tmpdir(), 'lull-bench-state-'));
const settings = { partitionCount: PARTITIONS, outputTopics: ['sessions'] };
try {
  console.log(`resident before: ${residentMb()} MB`);
  const large = { directory: join(parent, 'large'), ...settings };
  let store = await openRocksStore(large);
  await timed('commit, new users', USERS, 'users', () => fill(store));
  const rounds = 50;
  await timed('commit, known users, 10% outputs', rounds * USERS_A_COMMIT, 'users', async () => {
    for (let round = 1; round <= rounds; round++) {
      await store.commit(commitOf(sample(USERS_A_COMMIT, round), round, true));
    }
  });
  await timed('multi-get of 10,000', rounds * USERS_A_COMMIT, 'keys', async () => {
    for (let round = 0; round < rounds; round++) {
      const users = sample(USERS_A_COMMIT, round).map((user) => user - (user % PARTITIONS));
      await store.getMany(0, users.map(key));
    }
  });
  await timed('sync', 1, 'syncs', async () => void (await store.sync()));
  console.log(`on disk: ${Math.round((await store.sizeBytes()) / 1e6)} MB`);
  await timed('close', 1, 'closes', () => store.close());
  await timed('open', 1, 'opens', async () => {
    store = await openRocksStore(large);
  });
  await store.close();

  store = await openRocksStore({ directory: join(parent, 'churn'), ...settings });
  const sessions = CHURN_ROUNDS * PARTITIONS * CHURN_SESSIONS;
  await timed('sessions that come and go', sessions, 'sessions', () => churn(store));
  const written = (sessions * (VALUE.length + OUTPUT.length)) / 1e6;
  const share = CHURN_ALIVE / CHURN_ROUNDS;
  const left = (await store.sizeBytes()) / 1e6;
  console.log(
    `${Math.round(written)} MB written, ${share * 100}% alive: ${Math.round(left)} MB left`,
  );
  await store.close();
} finally {
  await rm(parent, { recursive: true });
}
