/**
 * How fast history takes and answers a million sessions, and what memory it takes; with
 * `--postgres` what a server of PostgreSQL and its client spend on it, pipelined and not.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { History } from '../src/history/history.ts';
import { openEmbeddedHistory } from '../src/history/pglite.ts';
import { openPostgresHistory } from '../src/history/postgres.ts';
import { PostgresSql } from '../src/history/postgres-sql.ts';
import type { Sql } from '../src/history/sql.ts';
import { SqlHistory } from '../src/history/sql-history.ts';
import { systemClock as clock } from '../src/ops/clock.ts';
import { startPostgres } from '../test/support/postgres-server.ts';
import { makeHistorySession, USERS } from './history-session.ts';

const ON_SERVER = process.argv.includes('--postgres');
const SESSIONS = Number(process.argv.slice(2).find((text) => /^\d+$/.test(text)) ?? 1_000_000);
const BATCH = 1000;
const HOUR_MS = 3_600_000;
const SPAN_MS = 48 * HOUR_MS;
const START_MS = Date.parse('2026-11-23T00:00:00.000Z');
const END_MS = START_MS + SPAN_MS;

/** Ends rise with the number, as they do when sent. */
function sessionOf(number: number, revision = 1) {
  const endMs = Math.floor(START_MS + (number / SESSIONS) * SPAN_MS);
  return makeHistorySession(number, endMs, revision);
}

function memory(): string {
  const status = readFileSync('/proc/self/status', 'utf8');
  const [now, peak] = ['VmRSS', 'VmHWM'].map((name) => {
    return Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)![1]) / 1000);
  });
  return `resident ${now} MB, at most ${peak} MB`;
}

function totalUs({ user, system }: NodeJS.CpuUsage): number {
  return user + system;
}

async function load(history: History, revision: number, from: number, to: number): Promise<void> {
  const cpu = process.cpuUsage();
  let makingMs = 0;
  let makingCpuUs = 0;
  const started = performance.now();
  for (let first = from; first < to; first += BATCH) {
    const making = performance.now();
    const before = process.cpuUsage();
    const records = Array.from({ length: BATCH }, (_, n) => sessionOf(first + n, revision));
    makingCpuUs += totalUs(process.cpuUsage(before));
    makingMs += performance.now() - making;
    const position = { logId: 'bench', partition: 0, nextOffset: first + BATCH };
    await history.apply(records, [position]);
  }
  const seconds = (performance.now() - started - makingMs) / 1000;
  const rate = Math.round((to - from) / seconds).toLocaleString('en');
  const cost = ((totalUs(process.cpuUsage(cpu)) - makingCpuUs) / (to - from)).toFixed(1);
  const verb = revision === 1 ? 'new' : 'amended';
  console.log(`${verb} rows ${from} to ${to}: ${rate}/s, ${cost} us CPU each; ${memory()}`);
}

async function latency(label: string, count: number, ask: (n: number) => Promise<unknown>) {
  const times: number[] = [];
  for (let n = 0; n < count; n++) {
    const started = performance.now();
    await ask(n);
    times.push(performance.now() - started);
  }
  times.sort((left, right) => left - right);
  const at = (share: number) => times[Math.floor(share * (count - 1))]!.toFixed(2);
  console.log(`${label}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`);
}

async function opened(label: string, directory: string): Promise<History> {
  const started = performance.now();
  const history = await openEmbeddedHistory({ directory });
  console.log(`${label}: ${Math.round(performance.now() - started)} ms; ${memory()}`);
  return history;
}

async function embedded(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'lull-bench-history-'));
  try {
    const place = join(directory, 'history');
    console.log(`a row is ${JSON.stringify(sessionOf(1)).length} bytes of JSON; ${memory()}`);
    let history = await opened('create', place);
    for (let from = 0; from < SESSIONS; from += SESSIONS / 5) {
      await load(history, 1, from, from + SESSIONS / 5);
    }
    await load(history, 2, 0, SESSIONS / 10);
    const bytes = await history.sizeBytes();
    console.log(
      `on disk ${Math.round(bytes / 1e6)} MB, ${Math.round(bytes / SESSIONS)} bytes a row`,
    );
    await history.close();
    history = await opened('open again', place);
    const spread = (n: number) => (n * 7919) % SESSIONS;
    const day = (n: number) => END_MS - 17 * n - 1;
    await latency('stats of 24 h', 1000, (n) => history.stats(day(n) - 24 * HOUR_MS, day(n)));
    await latency('stats of 1 h', 1000, (n) => history.stats(day(n) - HOUR_MS, day(n)));
    await latency('one session', 1000, (n) => history.session(sessionOf(spread(n)).sessionId));
    await latency('20 of a user', 1000, (n) =>
      history.ofUser(`user-${spread(n) % USERS}`, 20, null),
    );
    await latency('10 converted', 1000, () => history.converted(10, null));
    await latency('a batch of one', 200, (n) => history.apply([sessionOf(spread(n), 3)], []));
    await latency('expire 1000', 50, () => history.expire(START_MS + SPAN_MS / 2, 1000));
    console.log(`wrong buckets: ${await history.wrongBuckets()}; ${memory()}`);
    await history.close();
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Processor time of the process that serves our one connection; a tick is 10 ms. */
async function serverMs(sql: Sql): Promise<number> {
  const [row] = await sql.query('SELECT pg_backend_pid() AS pid', []);
  const [, fields = ''] = readFileSync(`/proc/${row!['pid']}/stat`, 'utf8').split(') ');
  const [user, system] = fields.split(' ').slice(11, 13).map(Number);
  return (user! + system!) * 10;
}

/** In turns, so that what else the machine does meets both. */
async function onServer(): Promise<void> {
  const server = await startPostgres({ settings: { fsync: 'on', shared_buffers: '256MB' } });
  try {
    const bounds = { clock, maxConnections: 1, statementTimeoutMs: 30_000 };
    const histories = await Promise.all(
      [true, false].map(async (pipeline) => {
        const url = server.url(`pipeline_${pipeline}`);
        await (await openPostgresHistory({ url, clock })).close();
        const sql = new PostgresSql({ url: new URL(url), ...bounds, pipeline });
        const label = pipeline ? 'pipelined' : 'one by one';
        return { label, sql, history: new SqlHistory(sql) };
      }),
    );
    const share = SESSIONS / 5;
    for (let step = 0; step < 6; step++) {
      const [revision, from] = step < 5 ? [1, step * share] : [2, 0];
      for (const { label, sql, history } of histories) {
        process.stdout.write(`${label}, `);
        const before = await serverMs(sql);
        await load(history, revision, from, from + share);
        const cost = ((await serverMs(sql)) - before) / share;
        console.log(`  and ${(cost * 1000).toFixed(0)} us CPU each in the server`);
      }
    }
    for (const { label, history } of histories) {
      const recent = (n: number) => END_MS - 17 * n - 1;
      await latency(`${label}, stats of 24 h`, 1000, (n) =>
        history.stats(recent(n) - 24 * HOUR_MS, recent(n)),
      );
      await latency(`${label}, a batch of one`, 500, (n) => {
        const position = { logId: 'one', partition: 0, nextOffset: n + 1 };
        return history.apply([sessionOf((n * 7919) % SESSIONS, 3)], [position]);
      });
      console.log(`${label}: ${await history.wrongBuckets()} wrong buckets`);
      await history.close();
    }
  } finally {
    await server.dispose();
  }
}

await (ON_SERVER ? onServer() : embedded());
