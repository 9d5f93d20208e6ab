/**
 * A user's live session through the gateway of a distributed system under load, beside a bare
 * Fastify route that GETs the same answers from a Redis, by turns: `node bench/lookup.ts`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { fastify } from 'fastify';
import { createClient } from 'redis';
import { startRedis } from '../test/support/redis-server.ts';
import { CommitWatch } from './distributed/commit-watch.ts';
import { startSteadyLoad } from './distributed/steady-load.ts';
import {
  type MeasuredSystem,
  PARTITIONS,
  startMeasuredSystem,
  until,
} from './distributed/system.ts';
import { quantile, request, sendAtRate } from './http-load.ts';

const { values } = parseArgs({
  options: {
    /** Role of this process, for the one that serves the bare route. */
    bare: { type: 'string' },
    rate: { type: 'string', default: '2000' },
    reads: { type: 'string', default: '500' },
    users: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '5' },
    brokers: { type: 'string', default: '1' },
  },
});
const ROUND_MS = 5000;
/** More than the gateway's process keeps: asked in turn, each has been forgotten again. */
const MISSED_USERS = 6000;
/** Asked for so often that they are still there. */
const HIT_USERS = 100;

interface Target {
  readonly what: string;
  readonly url: string;
  readonly next: () => Buffer;
  readonly p50s: number[];
  readonly p99s: number[];
  readonly sources: Map<string, number>;
}

async function serveBare(redisUrl: string): Promise<void> {
  const redis = createClient({ url: redisUrl });
  await redis.connect();
  const app = fastify();
  app.get<{ Params: { userId: string } }>('/:userId', async ({ params }, reply) => {
    return reply.type('application/json; charset=utf-8').send(await redis.get(params.userId));
  });
  process.stdout.write(`${await app.listen({ host: '127.0.0.1', port: 0 })}\n`);
}

async function main(): Promise<void> {
  const system = await startMeasuredSystem(values.brokers === '1' ? 1 : 3);
  const redis = await startRedis();
  let bare: ChildProcess | null = null;
  try {
    await system.settled();
    const load = await startSteadyLoad({
      bootstrapServers: system.kafka.bootstrapServers,
      partitions: PARTITIONS,
      users: Number(values.users),
      eventsPerSecond: Number(values.rate),
    });
    const watch = new CommitWatch(system.cluster);
    await until('the first events are committed', system.processors, () => watch.caughtUp());
    await watch.stop();
    await copyAnswers(system, redis.url);
    bare = spawn(process.execPath, [import.meta.filename, '--bare', redis.url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await compare(system, await urlOf(bare));
    console.log(`events acknowledged: ${Math.round(await load.stop())}/s`);
  } finally {
    bare?.kill('SIGKILL');
    await Promise.all([system.stop(), redis.dispose()]);
  }
}

async function urlOf(child: ChildProcess): Promise<string> {
  for await (const chunk of child.stdout!) return String(chunk).trim();
  throw new Error('the bare route ended');
}

/** The bare route answers with what the gateway answers. */
async function copyAnswers({ gateway }: MeasuredSystem, redisUrl: string): Promise<void> {
  const redis = createClient({ url: redisUrl });
  await redis.connect();
  try {
    for (let user = 0; user < MISSED_USERS; user++) {
      // The newest users may not have been published yet.
      await until(`user-${user} is live`, [gateway], async () => {
        const answer = await fetch(`${gateway.url}/api/sessions/active/user-${user}`);
        await redis.set(`user-${user}`, await answer.text());
        return answer.status === 200;
      });
    }
  } finally {
    await redis.close();
  }
}

async function compare({ gateway, redis }: MeasuredSystem, bareUrl: string): Promise<void> {
  const active = '/api/sessions/active/';
  const beside = () => target('bare Fastify + Redis GET', bareUrl, '/', MISSED_USERS);
  await measure([
    beside(),
    target('active, from Redis', gateway.url, active, MISSED_USERS),
    target("active, from the gateway's process", gateway.url, active, HIT_USERS),
  ]);
  await redis.kill();
  await until('the state answers', [gateway], async () => {
    const answer = await fetch(`${gateway.url}${active}user-0`);
    return ((await answer.json()) as { source: string }).source === 'state';
  });
  await measure([beside(), target('active, from state', gateway.url, active, MISSED_USERS)]);
}

/** Asks for the users in turn, over all rounds. */
function target(what: string, url: string, path: string, users: number): Target {
  const requests = Array.from({ length: users }, (_, user) =>
    request('GET', `${path}user-${user}`),
  );
  let asked = 0;
  const next = () => requests[asked++ % users]!;
  return { what, url, next, p50s: [], p99s: [], sources: new Map() };
}

/** By turns; the first round warms up, and doesn't count. */
async function measure(targets: readonly Target[]): Promise<void> {
  for (let round = 0; round <= Number(values.rounds); round++) {
    for (const { url, next, p50s, p99s, sources } of targets) {
      const answers = await sendAtRate(url, next, Number(values.reads), ROUND_MS);
      if (round === 0) continue;
      p50s.push(quantile(answers.latencies, 0.5));
      p99s.push(quantile(answers.latencies, 0.99));
      for (const [source, count] of answers.sources) {
        sources.set(source, (sources.get(source) ?? 0) + count);
      }
    }
  }
  const bare = targets[0]!;
  const ratio = (one: readonly number[], other: readonly number[]) =>
    quantile(
      one.map((ms, round) => ms / other[round]!),
      0.5,
    );
  console.log(`${values.reads} reads/s, ${values.rate} events/s, load ${loadavg()[0]}`);
  console.table(
    targets.map(({ what, p50s, p99s, sources }) => ({
      what,
      'p50 ms': quantile(p50s, 0.5),
      'p99 ms': quantile(p99s, 0.5),
      'p50 to bare': ratio(p50s, bare.p50s),
      'p99 to bare': ratio(p99s, bare.p99s),
      'p99 of each round': p99s.join('  '),
      sources: what === bare.what ? '' : [...sources].map((pair) => pair.join(' ')).join(', '),
    })),
  );
}

if (values.bare !== undefined) await serveBare(values.bare);
else await main();
