/** The store after power losses: its first commits, whole, with all that was synced. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { cp, link, mkdtemp, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  lastCommit,
  numberedCommit,
  openNumberedStore,
} from '../../test/support/numbered-commits.ts';
import {
  losePower,
  recordSyncs,
  recordSyncsModule,
  selfSyncedByRocksdb,
  syncedBytes,
} from '../../test/support/power-loss.ts';

const PROGRAM = join(import.meta.dirname, '../../test/support/numbered-commits.ts');
/** Large, so that logs are changed often. */
const VALUE_BYTES = 60_000;
const linux = process.platform === 'linux';

/** Repeatable random numbers from 0 to 1. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Kill {
  /** After so many lines that say what is synced. */
  readonly lines: number;
  /** And only once a log has been begun while the table of the one before is being written. */
  readonly betweenLogs: boolean;
  readonly delayMs: number;
}

/** Runs the program, kills it, and gives what it said that it had synced. */
async function runAndKill(kill: Kill, folder: string, journal: string): Promise<number> {
  const args = [...recordSyncs(journal), PROGRAM, folder, `${VALUE_BYTES}`];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const strike = async () => {
    while (kill.betweenLogs && logsIn(folder).length < 2) await sleep(1);
    await sleep(kill.delayMs);
    child.kill('SIGKILL');
  };
  let synced = 0;
  let seen = 0;
  for await (const line of createInterface(child.stdout)) {
    synced = Number(line.replace('synced ', ''));
    if (++seen === kill.lines) void strike();
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  assert.equal(child.signalCode, 'SIGKILL', 'the program ended by itself');
  return synced;
}

function logsIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.log'));
}

it('survives power losses with everything synced, and no commit torn', {
  skip: linux ? false : 'what was synced is told by /proc',
}, async (t) => {
  const seed = Date.now() % 1e9;
  t.diagnostic(`seed ${seed}`);
  const random = randomFrom(seed);
  const parent = await mkdtemp(join(tmpdir(), 'lull-power-'));
  const folder = join(parent, 'state');
  const journal = join(parent, 'syncs');
  try {
    for (let round = 0; round < 4; round++) {
      const betweenLogs = round % 2 === 1;
      const lines = 1 + Math.floor(random() * (betweenLogs ? 2 : 8));
      const kill = { betweenLogs, lines, delayMs: random() * (betweenLogs ? 5 : 50) };
      const synced = await runAndKill(kill, folder, journal);
      // The least a disk may keep of each file, the most, or anything between.
      const kept = (unsynced: number) =>
        Math.floor(unsynced * Math.min(1, Math.max(0, random() * 3 - 1)));
      const { cut } = await losePower(folder, journal, { selfSynced: selfSyncedByRocksdb, kept });
      const logs = logsIn(folder).length;
      const store = await openNumberedStore(folder);
      const last = await lastCommit(store, VALUE_BYTES);
      await store.close();
      t.diagnostic(`${synced} synced, ${last} there, ${cut.size} of ${logs} logs cut`);
      assert.ok(last >= synced, `${last} of ${synced}`);
    }
  } finally {
    await rm(parent, { recursive: true });
  }
});

it('opens with whole commits wherever its log is cut off', async (t) => {
  const seed = Date.now() % 1e9;
  t.diagnostic(`seed ${seed}`);
  const random = randomFrom(seed);
  const parent = await mkdtemp(join(tmpdir(), 'lull-cut-'));
  const folder = join(parent, 'state');
  const copy = join(parent, 'copy');
  try {
    const store = await openNumberedStore(folder);
    const ends: number[] = [];
    let log = '';
    for (let number = 1; number <= 25; number++) {
      await store.commit(numberedCommit(number, 300));
      log = logsIn(folder)[0]!;
      ends.push((await stat(join(folder, log))).size);
      if (number === 10) await store.releaseOutputs('sessions', [5, 5]);
    }
    const anywhere = Array.from({ length: 25 }, () => Math.floor(random() * ends.at(-1)!));
    for (const end of [...ends, ...ends.map((at) => at - 1), ...anywhere]) {
      await cp(folder, copy, { recursive: true });
      await truncate(join(copy, log), end);
      const reopened = await openNumberedStore(copy);
      const last = await lastCommit(reopened, 300);
      await reopened.close();
      assert.equal(last, ends.filter((commitEnd) => commitEnd <= end).length, `cut to ${end}`);
      await rm(copy, { recursive: true });
    }
    await store.close();
  } finally {
    await rm(parent, { recursive: true });
  }
});

it('has a log on disk to its last byte before it begins the next one', {
  skip: linux ? false : 'what was synced is told by /proc',
}, async () => {
  const parent = await mkdtemp(join(tmpdir(), 'lull-logs-'));
  const [folder, copy, journal] = ['state', 'copy', 'syncs'].map((name) => join(parent, name));
  await import(recordSyncsModule(journal!));
  try {
    const store = await openNumberedStore(folder!);
    const [first] = logsIn(folder!);
    const firstLog = join(parent, 'first.log');
    await link(join(folder!, first!), firstLog);
    // As the disk has it until the table is written: nothing but the logs will change.
    await cp(folder!, copy!, { recursive: true });
    let last = 0;
    while (logsIn(folder!).every((name) => name === first)) {
      await store.commit(numberedCommit(++last, VALUE_BYTES));
    }
    const second = logsIn(folder!).find((name) => name !== first)!;
    await cp(firstLog, join(copy!, first!));
    await truncate(join(copy!, first!), await syncedBytes(firstLog, journal!));
    await cp(join(folder!, second), join(copy!, second));
    await store.close();
    const reopened = await openNumberedStore(copy!);
    assert.equal(await lastCommit(reopened, VALUE_BYTES), last);
    await reopened.close();
  } finally {
    await rm(parent, { recursive: true });
  }
});
