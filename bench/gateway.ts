/**
 * The HTTP face beside an empty Fastify route, in one run: `node bench/gateway.ts`. Takes about
 * two minutes. Reads: a user's live session from the whole system while 500 simulated events/s
 * come in. Writes: batches of 100 events into the gateway over a synced log, nothing behind it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fastify } from 'fastify';
import { DEFAULT_DEFINITION } from '../src/core/definition.ts';
import { openProcessLive } from '../src/live/process-live.ts';
import { openSegmentLog } from '../src/log/segment-log.ts';
import { systemClock } from '../src/ops/clock.ts';
import { createLogger } from '../src/ops/logger.ts';
import { createMetrics } from '../src/ops/metrics.ts';
import { startApiGateway } from '../src/services/api-gateway/gateway.ts';
import { MemoryHistory } from '../test/support/memory-history.ts';
import { Connection, quantile, request, sendAtRate } from './http-load.ts';

const READS_PER_SECOND = 1000;
const READ_ROUND_MS = 5000;
const READ_ROUNDS = 5;
const WRITE_CONNECTIONS = 8;
const WRITE_ROUND_MS = 5000;
const BATCH_EVENTS = 100;
const USERS = 5000;

async function serveEmpty(): Promise<void> {
  const app = fastify();
  // Bodies are read as JSON, as those of events are.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'));
  app.get('/', async () => ({ ok: true }));
  app.post('/', async (_request, reply) => reply.code(202).send({ ok: true }));
  app.get('/cpu', async () => process.cpuUsage());
  process.stdout.write(`${await app.listen({ host: '127.0.0.1', port: 0 })}\n`);
}

async function serveGateway(directory: string): Promise<void> {
  const clock = systemClock;
  const open = (name: string) =>
    openSegmentLog({ directory, name, partitionCount: 8, fsync: 'always', clock });
  const { url } = await startApiGateway({
    host: '127.0.0.1',
    port: 0,
    access: { token: null, corsOrigins: [], allowedHosts: [] },
    intakeRatePerSecond: 0,
    definition: DEFAULT_DEFINITION,
    events: await open('user-events'),
    sessions: await open('sessions'),
    liveTiers: ['process'],
    live: openProcessLive({
      clock,
      ttlMs: 1,
      maxUsers: 1,
      decode: () => {
        throw new Error('nothing is published here');
      },
    }),
    history: new MemoryHistory(),
    query: null,
    held: null,
    partitions: () => [],
    intake: () => null,
    health: () => ({ status: 'ok', parts: [] }),
    ready: () => true,
    metrics: createMetrics(),
    rate: null,
    clock,
    logger: createLogger('error'),
  });
  process.stdout.write(`${url}\n`);
}

async function compare(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'lull-bench-'));
  const children: ChildProcess[] = [];
  const start = async (...parameters: string[]) => {
    const child = spawn(process.execPath, parameters, { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    for await (const chunk of child.stdout) {
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(String(chunk));
      if (url !== null) return url[0];
    }
    throw new Error(`${parameters.join(' ')} ended`);
  };
  try {
    const self = import.meta.filename;
    const empty = await start(self, 'empty');
    await compareWrites(empty, await start(self, 'gateway', directory));
    children.pop()!.kill();
    const data = join(directory, 'data');
    const system = ['src/main.ts', 'start', '--port', '0', '--data', data, '--rate', '500'];
    await compareReads(empty, await start(...system, '--backfill', '0'));
  } finally {
    for (const child of children) {
      child.kill();
      if (child.exitCode === null) await once(child, 'exit');
    }
    await rm(directory, { recursive: true });
  }
}

/** As many batches as a few connections get through, each sent when the last one is answered. */
async function compareWrites(empty: string, gateway: string): Promise<void> {
  const bodies = Array.from({ length: 50 }, (_, batch) => batchBody(batch));
  const rows: Record<string, unknown>[] = [];
  for (const [what, url, path] of [
    ['empty route', empty, '/'],
    ['POST /api/events', gateway, '/api/events'],
  ] as const) {
    const requests = bodies.map((body) => request('POST', path, body));
    await sendInTurn(url, requests, 1000);
    const cpuBefore = await cpuSeconds(url);
    const { latencies, seconds } = await sendInTurn(url, requests, WRITE_ROUND_MS);
    const cpu = (await cpuSeconds(url)) - cpuBefore;
    const events = latencies.length * BATCH_EVENTS;
    rows.push({
      what,
      'events/s': Math.round(events / seconds),
      'events per CPU second': Math.round(events / cpu),
      'p50 ms': quantile(latencies, 0.5),
      'p99 ms': quantile(latencies, 0.99),
    });
  }
  console.log(`Batches of ${BATCH_EVENTS} events, ${WRITE_CONNECTIONS} connections, fsync always`);
  console.table(rows);
}

/** The same rate of requests for both, by turns; latency counts from when each was due. */
async function compareReads(empty: string, system: string): Promise<void> {
  await waitForUser(system);
  const targets = [
    { what: 'empty route', url: empty, path: '/' },
    { what: 'active/:userId', url: system, path: '/api/sessions/active/user-1' },
  ].map((target) => ({ ...target, p50s: [] as number[], p99s: [] as number[] }));
  for (let round = -1; round < READ_ROUNDS; round++) {
    for (const { url, path, p50s, p99s } of targets) {
      const bytes = request('GET', path);
      const answers = await sendAtRate(url, () => bytes, READS_PER_SECOND, READ_ROUND_MS);
      const { latencies, sources } = answers;
      if (sources.size > 1) throw new Error(`answered ${[...sources].join(' ')}`);
      if (round < 0) continue;
      p50s.push(quantile(latencies, 0.5));
      p99s.push(quantile(latencies, 0.99));
    }
  }
  console.log(
    `${READS_PER_SECOND} reads/s, ${READ_ROUNDS} rounds by turns, 500 events/s coming in`,
  );
  console.table(
    targets.map(({ what, p50s, p99s }) => ({
      what,
      'p50 ms (median)': quantile(p50s, 0.5),
      'p99 ms (median)': quantile(p99s, 0.5),
      'p99 of each round': p99s.join('  '),
    })),
  );
  const ratios = targets[1]!.p99s.map((p99, round) => p99 / targets[0]!.p99s[round]!);
  console.log(`p99 beside the empty route: ${quantile(ratios, 0.5)} (median of the rounds)`);
}

async function waitForUser(system: string): Promise<void> {
  for (;;) {
    const { status } = await fetch(`${system}/api/sessions/active/user-1`).catch(() => ({
      status: 0,
    }));
    if (status === 200) return;
    await setTimeout(200);
  }
}

function batchBody(batch: number): Buffer {
  const timestamp = new Date().toISOString();
  const events = Array.from({ length: BATCH_EVENTS }, (_, index) => {
    const number = batch * BATCH_EVENTS + index;
    return {
      eventId: `e-${number}`,
      userId: `user-${(number * 7919) % USERS}`,
      eventType: 'PAGE_VIEW',
      timestamp,
      page: `/products/${number % 500}`,
      referrer: 'https://search.example/results',
      device: 'mobile',
      productId: `p${number % 500}`,
      category: 'shoes',
    };
  });
  return Buffer.from(JSON.stringify(events));
}

async function sendInTurn(url: string, requests: readonly Buffer[], durationMs: number) {
  const latencies: number[] = [];
  const startMs = performance.now();
  let next = 0;
  const one = async () => {
    const connection = await Connection.open(url);
    while (performance.now() - startMs < durationMs) {
      const sentMs = performance.now();
      const { status } = await connection.send(requests[next++ % requests.length]!);
      if (status >= 300) throw new Error(`answered ${status}`);
      latencies.push(performance.now() - sentMs);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: WRITE_CONNECTIONS }, one));
  return { latencies, seconds: (performance.now() - startMs) / 1000 };
}

/** CPU time of the process that serves there. */
async function cpuSeconds(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const total = /^process_cpu_seconds_total (\S+)/m.exec(metrics)?.[1];
  if (total !== undefined) return Number(total);
  const { user, system } = (await (await fetch(`${url}/cpu`)).json()) as NodeJS.CpuUsage;
  return (user + system) / 1e6;
}

const role = process.argv[2];
if (role === 'empty') await serveEmpty();
else if (role === 'gateway') await serveGateway(process.argv[3]!);
else await compare();
