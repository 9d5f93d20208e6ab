/**
 * The session-processor alone over a log that holds the race's load before it starts: read,
 * decode, apply, state, outputs, live; no HTTP, no history. Each row is a process of its own:
 * events a CPU second, and the most memory it had.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { DEFAULT_DEFINITION } from '../src/core/definition.ts';
import { openProcessLive } from '../src/live/process-live.ts';
import type { NewRecord } from '../src/log/log.ts';
import { openSegmentLog } from '../src/log/segment-log.ts';
import { systemClock } from '../src/ops/clock.ts';
import { SessionProcessor } from '../src/services/session-processor/session-processor.ts';
import { decodeLive } from '../src/services/session-processor/state-reader.ts';
import { openRocksStore } from '../src/state/rocksdb-store.ts';
import { makeLoad, spanMs } from './race/load.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '2000000' },
    users: { type: 'string', default: '50000' },
    partitions: { type: 'string', default: '8' },
    runs: { type: 'string', default: '1' },
    /** Only rows whose name has this in it. */
    only: { type: 'string', default: '' },
    /** Of the one row that a child process runs. */
    tiers: { type: 'string' },
    commit: { type: 'string', default: '100' },
  },
});
const EVENTS = Number(values.events);
const USERS = Number(values.users);
const PARTITIONS = Number(values.partitions);
const ROWS = [
  ['one tier, commit 100 ms', '1', '100'],
  ['one tier, commit 1 s', '1', '1000'],
  ['three tiers, commit 100 ms', '3', '100'],
  ['three tiers, commit 1 s', '3', '1000'],
] as const;
/** Made once, and kept for the next run. */
const LOG = join(tmpdir(), `lull-bench-race-${EVENTS}-${USERS}-${PARTITIONS}`);

if (values.tiers === undefined) await compare();
else await runOne(Number(values.tiers), Number(values.commit));

async function compare(): Promise<void> {
  await fillLog();
  for (const [name, tiers, commit] of ROWS) {
    if (!name.includes(values.only)) continue;
    for (let run = 0; run < Number(values.runs); run++) {
      const options = ['events', 'users', 'partitions'] as const;
      const same = options.map((option) => `--${option}=${values[option]}`);
      const own = [import.meta.filename, `--tiers=${tiers}`, `--commit=${commit}`, ...same];
      const child = spawnSync(process.execPath, [...process.execArgv, ...own], {
        encoding: 'utf8',
      });
      process.stdout.write(`${name.padEnd(28)} ${child.stdout}${child.stderr}`);
    }
  }
}

async function openLog() {
  return openSegmentLog({
    directory: LOG,
    name: 'user-events',
    partitionCount: PARTITIONS,
    fsync: 'never',
    clock: systemClock,
  });
}

async function runOne(tiers: number, commitIntervalMs: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'lull-bench-'));
  const definition = { ...DEFAULT_DEFINITION, tiersMs: DEFAULT_DEFINITION.tiersMs.slice(0, tiers) };
  const events = await openLog();
  const store = await openRocksStore({
    directory: join(directory, 'state'),
    partitionCount: PARTITIONS,
    outputTopics: ['sessions', 'late-events', 'rejected-events'],
  });
  const live = openProcessLive({
    clock: systemClock,
    ttlMs: definition.gapMs + definition.tiersMs[0]!,
    maxUsers: 1_000_000,
    decode: (userId, bytes, partition) =>
      decodeLive(definition, { logId: events.logId, partition }, userId, bytes),
  });
  let commits = 0;
  let written = 0;
  const processor = await SessionProcessor.open({
    definition,
    input: events,
    store,
    live,
    clock: systemClock,
    commitIntervalMs,
    backlogCommitMs: commitIntervalMs,
    memoryUsers: 200_000,
    onCommit: (users) => {
      commits++;
      written += users;
    },
  });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const startCpu = process.cpuUsage();
  const start = performance.now();
  const running = processor.start();
  for (let partition = 0; partition < PARTITIONS; partition++) {
    await processor.waitVisible(partition, events.endOffset(partition) - 1, 600_000);
  }
  const { user, system } = process.cpuUsage(startCpu);
  const wallMs = performance.now() - start;
  const topic = store.topic('sessions');
  const late = store.topic('late-events');
  let sent = 0;
  let dropped = 0;
  for (let partition = 0; partition < PARTITIONS; partition++) {
    sent += topic.endOffset(partition);
    dropped += late.endOffset(partition);
  }
  console.log(
    `${Math.round((EVENTS / (user + system)) * 1e6)} events/CPU s, ` +
      `${Math.round((EVENTS / wallMs) * 1000)} a second, ` +
      `${Math.round(process.resourceUsage().maxRSS / 1000)} MB; ` +
      `${commits} commits, ${(written / EVENTS).toFixed(2)} users an event, ` +
      `loop p99 ${Math.round(delay.percentile(99) / 1e6)} max ${Math.round(delay.max / 1e6)} ms; ` +
      `${sent} sent, ${dropped} late, ${await live.size()} live`,
  );
  await processor.close();
  await running;
  await live.close();
  await events.close();
  await store.close();
  rmSync(directory, { recursive: true, force: true });
}

async function fillLog(): Promise<void> {
  const marker = join(LOG, 'filled');
  if (existsSync(marker)) return;
  rmSync(LOG, { recursive: true, force: true });
  mkdirSync(LOG, { recursive: true });
  const log = await openLog();
  const options = { events: EVENTS, users: USERS, partitions: PARTITIONS, seed: 1, startMs: 0 };
  const startMs = Date.now() - Math.ceil(spanMs(options));
  let batch: NewRecord[] = [];
  for (const { partition, userId, json } of makeLoad({ ...options, startMs })) {
    batch.push({ partition, key: userId, value: Buffer.from(json) });
    if (batch.length < 2000) continue;
    await log.append(batch);
    batch = [];
  }
  await log.append(batch);
  await log.close();
  writeFileSync(marker, '');
}
