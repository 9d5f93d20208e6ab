/**
 * What a restore costs: a million users' state from the changelog into an empty folder, and again
 * where the folder was kept: `node bench/restore.ts`. Starts a broker; takes about a minute.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DEFAULT_DEFINITION } from '../src/core/definition.ts';
import { partitionOf } from '../src/core/hash.ts';
import { Loader } from '../src/core/loader.ts';
import { Partition } from '../src/core/partition.ts';
import type { DeadlineEntry, PartitionCommit } from '../src/state/state.ts';
import { startKafka } from '../test/support/kafka-broker.ts';
import { Instance, newSystem } from '../test/support/kafka-state.ts';
import { makeEvent } from '../test/support/make-event.ts';

const { values } = parseArgs({
  options: {
    users: { type: 'string', default: '1000000' },
    partitions: { type: 'string', default: '8' },
    /** For the process that restores, with the folder. */
    system: { type: 'string' },
    directory: { type: 'string', default: '' },
  },
});
const USERS = Number(values.users);
const PARTITIONS = Number(values.partitions);
const USERS_A_COMMIT = 40_000;
const EVENTS_A_USER = 3;
const START_MS = Date.UTC(2026, 0, 1);

/** What a processor commits of these users, who have just come. */
function commitsOf(from: number, to: number): PartitionCommit[] {
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => {
    const identity = { logId: 'bench', partition };
    return new Partition({ definition: DEFAULT_DEFINITION, identity, stored: true });
  });
  const loaders = partitions.map((partition) => new Loader(partition));
  for (let user = from; user < to; user++) {
    const userId = `user-${user}`;
    const own = partitionOf(userId, PARTITIONS);
    for (let event = 0; event < EVENTS_A_USER; event++) {
      const timestamp = START_MS + user + event * 60_000;
      const wants: Parameters<Loader['want']>[2] = [];
      loaders[own]!.want(userId, timestamp, wants);
      loaders[own]!.install(
        wants,
        wants.map(() => null),
      );
      const made = makeEvent({
        id: `${user}-${event}`,
        userId,
        timestamp,
        page: `/products/${user % 1000}`,
      });
      partitions[own]!.apply(made, user * EVENTS_A_USER + event, timestamp);
    }
  }
  return loaders.map((loader, partition) => {
    const { writes, deadlines, clock } = loader.freeze(START_MS);
    const checkpoint = { logId: 'bench', nextOffset: to, clockMs: clock };
    return { partition, writes, deadlines, outputs: [], checkpoint };
  });
}

async function fill(instance: Instance): Promise<void> {
  await instance.owning(PARTITIONS);
  await instance.openOwned();
  const started = performance.now();
  const cpu = process.cpuUsage();
  for (let from = 0; from < USERS; from += USERS_A_COMMIT) {
    await instance.store.commit(commitsOf(from, Math.min(USERS, from + USERS_A_COMMIT)));
  }
  report('committed', started, cpu);
}

async function restore(): Promise<void> {
  const system = JSON.parse(values.system!);
  const instance = await Instance.start({ system, directory: values.directory });
  await instance.owning(PARTITIONS);
  const started = performance.now();
  const cpu = process.cpuUsage();
  await instance.openOwned();
  report('restored', started, cpu);
  let users = 0;
  for (let partition = 0; partition < PARTITIONS; partition++) {
    for (let after: DeadlineEntry | null = null; ; ) {
      const due: DeadlineEntry[] = await instance.store.dueUsers(partition, after, 1e9, 10_000);
      users += due.length;
      if (due.length < 10_000) break;
      after = due.at(-1)!;
    }
  }
  console.log(`${users} users due`);
  await instance.close();
}

function report(what: string, startedMs: number, before: NodeJS.CpuUsage): void {
  const { user, system } = process.cpuUsage(before);
  const wall = ((performance.now() - startedMs) / 1000).toFixed(1);
  const cpu = ((user + system) / 1e6).toFixed(1);
  const resident = Math.round(process.resourceUsage().maxRSS / 1000);
  console.log(`${what}: ${cpu} s CPU, ${wall} s wall, peak ${resident} MB`);
}

if (values.system !== undefined) await restore();
else {
  const directory = await mkdtemp(join(tmpdir(), 'lull-restore-'));
  const kafka = await startKafka({ measured: true });
  try {
    const system = newSystem(kafka, { partitionCount: PARTITIONS, chunkRecords: 20_000 });
    const first = await Instance.start({ system, directory: join(directory, 'first') });
    await fill(first);
    await first.close();
    const own = ['--users', `${USERS}`, '--partitions', `${PARTITIONS}`];
    for (const folder of ['empty', 'empty', 'first']) {
      const at = ['--system', JSON.stringify(system), '--directory', join(directory, folder)];
      console.log(`folder ${folder}`);
      spawnSync(process.execPath, [import.meta.filename, ...own, ...at], { stdio: 'inherit' });
    }
  } finally {
    await kafka.stop();
    await rm(directory, { recursive: true });
  }
}
