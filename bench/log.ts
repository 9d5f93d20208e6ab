/** How fast the embedded log appends and reads: `node bench/log.ts`. Takes about ten seconds. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NewRecord, Topic } from '../src/log/log.ts';
import { openSegmentLog } from '../src/log/segment-log.ts';
import { systemClock } from '../src/ops/clock.ts';

const PARTITIONS = 8;
const USERS = 50_000;
/** With its key of about ten bytes, a record of 230. */
const VALUE_BYTES = 220;
const MAX_READ_BYTES = 1 << 20;

interface Row {
  readonly what: string;
  readonly 'records/s': number;
  readonly 'MB/s': number;
  readonly 'CPU µs/record': number;
}

const rows: Row[] = [];

async function measure(what: string, work: () => Promise<number>): Promise<void> {
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const records = await work();
  const seconds = (performance.now() - startMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const perSecond = Math.round(records / seconds);
  rows.push({
    what,
    'records/s': perSecond,
    'MB/s': Math.round((perSecond * (VALUE_BYTES + 10)) / 1e6),
    'CPU µs/record': Number(((user + system) / records).toFixed(2)),
  });
}

function batches(batchRecords: number, count: number): NewRecord[][] {
  const value = Buffer.alloc(VALUE_BYTES, 'x');
  return Array.from({ length: count }, (_, batch) =>
    Array.from({ length: batchRecords }, (_, index) => {
      const user = ((batch * batchRecords + index) * 7919) % USERS;
      return { partition: user % PARTITIONS, key: `user-${user}`, value };
    }),
  );
}

/** Appends the batches again and again, a few at a time, until `total` records are in. */
async function appendAll(log: Topic, sets: NewRecord[][], atOnce: number, total: number) {
  let next = 0;
  let records = 0;
  const worker = async () => {
    while (records < total) {
      const batch = sets[next++ % sets.length]!;
      records += batch.length;
      await log.append(batch);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return records;
}

async function readAll(log: Topic, atOnce: boolean): Promise<number> {
  let count = 0;
  const readOne = async (partition: number) => {
    for (let offset = 0; ; ) {
      const records = await log.read(partition, offset, MAX_READ_BYTES);
      if (records.length === 0) return;
      count += records.length;
      offset = records.at(-1)!.offset + 1;
    }
  };
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  if (atOnce) await Promise.all(partitions.map(readOne));
  else for (const partition of partitions) await readOne(partition);
  return count;
}

const cases = [
  { batchRecords: 1000, atOnce: 1, total: 1_000_000 },
  { batchRecords: 1000, atOnce: 4, total: 1_000_000 },
  { batchRecords: 1, atOnce: 1, total: 5_000 },
  { batchRecords: 1, atOnce: 64, total: 200_000 },
];
for (const { batchRecords, atOnce, total } of cases) {
  const directory = await mkdtemp(join(tmpdir(), 'lull-bench-'));
  const options = { directory, name: 'bench', partitionCount: PARTITIONS, clock: systemClock };
  const label = `${batchRecords} a call, ${atOnce} calls at once`;
  let log = await openSegmentLog({ ...options, fsync: 'always' });
  const sets = batches(batchRecords, Math.ceil(50_000 / batchRecords));
  await measure(`append, synced: ${label}`, () => appendAll(log, sets, atOnce, total));
  await log.close();
  log = await openSegmentLog({ ...options, fsync: 'always' });
  await measure('  read, one partition after another', () => readAll(log, false));
  await measure('  read, all partitions at once', () => readAll(log, true));
  await log.close();
  await rm(directory, { recursive: true });
}
console.table(rows);
