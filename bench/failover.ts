/**
 * How long until every partition commits again after a SIGKILL of one of two processors, each the
 * other's standby; what lookups see of it; and the same for SIGTERM: `node bench/failover.ts`.
 */
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { describeTransactionsV0 } from '@platformatic/kafka';
import type { Cluster } from '../src/kafka/cluster.ts';
import { Coordinator } from '../src/kafka/coordinator.ts';
import { describeGroup } from '../src/kafka/group-plan.ts';
import type { Instance } from '../test/chaos/instances.ts';
import { CommitWatch } from './distributed/commit-watch.ts';
import { Queries } from './distributed/queries.ts';
import { startSteadyLoad } from './distributed/steady-load.ts';
import {
  GROUP,
  type MeasuredSystem,
  PARTITIONS,
  startMeasuredSystem,
  until,
} from './distributed/system.ts';
import { quantile } from './http-load.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    /** SIGTERMs, each followed by a return. */
    leaves: { type: 'string', default: '5' },
    rate: { type: 'string', default: '2000' },
    users: { type: 'string', default: '100000' },
    brokers: { type: 'string', default: '3' },
    /** `off`: lookups are answered from state. */
    redis: { type: 'string', default: 'on' },
  },
});
const USERS = Number(values.users);
/** A kill comes at some moment of it. */
const MOMENT_MS = 1000;
const CALM_MS = 2000;

interface Run {
  readonly system: MeasuredSystem;
  readonly watch: CommitWatch;
  readonly queries: Queries;
}

async function main(): Promise<void> {
  const system = await startMeasuredSystem(values.brokers === '1' ? 1 : 3);
  try {
    await system.settled();
    const load = await startSteadyLoad({
      bootstrapServers: system.kafka.bootstrapServers,
      partitions: PARTITIONS,
      users: USERS,
      eventsPerSecond: Number(values.rate),
    });
    const watch = new CommitWatch(system.cluster);
    await until('the first events are committed', system.processors, () => watch.caughtUp());
    await system.settled();
    if (values.redis === 'off') await system.redis.kill();
    const queries = new Queries(system.gateway.url, USERS);
    const run = { system, watch, queries };
    console.log(`${USERS} users known, ${values.rate} events/s, ${values.brokers} brokers`);
    await killOften(run, Number(values.kills));
    await leaveOften(run, Number(values.leaves));
    await queries.stop();
    await watch.stop();
    console.log(`events acknowledged: ${Math.round(await load.stop())}/s`);
  } finally {
    await system.stop();
  }
}

async function killOften(run: Run, kills: number): Promise<void> {
  const { system, watch, queries } = run;
  const tookMs: number[] = [];
  const rows: Record<string, unknown>[] = [];
  for (let kill = 1; kill <= kills; kill++) {
    const [victim, other] = await anyOf(run);
    const transactions = await transactionsOf(system.cluster, victim);
    watch.reset();
    await sleep(Math.random() * MOMENT_MS);
    const [killedMs, killedAt] = [performance.now(), Date.now()];
    await victim.end('SIGKILL');
    const [transaction, ends] = await Promise.all([transactions.state(), watch.ends()]);
    await until('every partition commits', [other], async () => watch.passed(ends) !== null);
    const recoveredMs = Math.max(...watch.passed(ends)!) - killedMs;
    tookMs.push(recoveredMs);
    const { outcomes, slowestMs, longestGapMs } = await queries.since(killedMs);
    rows.push({
      ...{ owned: transactions.owned, transaction },
      'assigned s': saidAfter(other, 'partitions are assigned', killedAt),
      'taken up s': saidAfter(other, 'partitions are taken up', killedAt),
      'all commit s': seconds(recoveredMs),
      'poll ms': Math.round(watch.longestPollMs),
      lookups: JSON.stringify(outcomes),
      'slowest lookup ms': Math.round(slowestMs),
      'longest without ms': Math.round(longestGapMs),
      load: loadavg()[0]!.toFixed(0),
    });
    console.log(`kill ${kill}: ${JSON.stringify(rows.at(-1))}`);
    victim.start();
    await system.settled();
    await sleep(CALM_MS);
  }
  if (kills > 0) console.table(rows);
  report('SIGKILL until every partition commits', tookMs);
}

/** The longest that a partition did not commit while an instance left, and while it came back. */
async function leaveOften({ system, watch, queries }: Run, leaves: number): Promise<void> {
  const left: number[] = [];
  const returned: number[] = [];
  type Change = () => Promise<void>;
  const measure = async (gaps: number[], what: string, other: Instance, change: Change) => {
    watch.reset();
    const [startMs, startedAt] = [performance.now(), Date.now()];
    await change();
    const ends = await watch.ends();
    await until('every partition commits', system.processors, async () => {
      return watch.passed(ends) !== null;
    });
    await sleep(CALM_MS);
    gaps.push(watch.longestGapMs(startMs));
    const { outcomes, longestGapMs } = await queries.since(startMs);
    console.log(
      `${what}: a partition stood for ${seconds(gaps.at(-1)!)} s (the other was assigned ` +
        `after ${saidAfter(other, 'partitions are assigned', startedAt)} s, had them open after ` +
        `${saidAfter(other, 'partitions are taken up', startedAt)} s, polls up to ` +
        `${Math.round(watch.longestPollMs)} ms); lookups ${JSON.stringify(outcomes)}, ` +
        `${Math.round(longestGapMs)} ms without; load ${loadavg()[0]}`,
    );
  };
  for (let leave = 0; leave < leaves; leave++) {
    const [one, two] = system.processors as [Instance, Instance];
    const [victim, other] = leave % 2 === 0 ? [one, two] : [two, one];
    await measure(left, 'SIGTERM', other, () => victim.end('SIGTERM'));
    await measure(returned, 'return', other, async () => {
      victim.start();
      await system.settled();
    });
  }
  report('SIGTERM, longest that a partition stood', left);
  report('return, longest that a partition stood', returned);
}

/** One of the processors, and the other. */
async function anyOf({ system }: Run): Promise<[Instance, Instance]> {
  const [one, other] = system.processors as [Instance, Instance];
  return Math.random() < 0.5 ? [one, other] : [other, one];
}

/** The transaction of an instance, asked for by its address in the group. */
async function transactionsOf(cluster: Cluster, { url }: Instance) {
  const members = await describeGroup(cluster, GROUP);
  const member = members.find(({ info }) => new URL(info.url).port === new URL(url).port)!;
  const id = member.info.transactionalId!;
  const coordinator = new Coordinator(cluster, 'transaction', id, 'watch');
  const state = async () => {
    const answer = await coordinator.call(describeTransactionsV0.api, [id]);
    return answer.transactionStates[0]!.transactionState;
  };
  // The second time there is no coordinator to be found and no connection to be made.
  await state();
  return { state, owned: member.share?.owned.length ?? 0 };
}

/** Seconds until an instance logged it for the last time. */
function saidAfter({ output }: Instance, message: string, sinceMs: number): string {
  const line = output.split('\n').findLast((text) => text.includes(message));
  const time = /"time":"?([^",]+)/.exec(line ?? '')?.[1];
  if (time === undefined) return '';
  const atMs = /^\d+$/.test(time) ? Number(time) : Date.parse(time);
  return atMs < sinceMs ? '' : seconds(atMs - sinceMs);
}

function report(what: string, tookMs: readonly number[]): void {
  if (tookMs.length === 0) return;
  const [min, median, p95, max] = [0, 0.5, 0.95, 1].map((share) => quantile(tookMs, share));
  const text = [min, median, p95, max].map((ms) => seconds(ms!)).join(', ');
  console.log(`${what}, s: min, median, p95, max of ${tookMs.length}: ${text}`);
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(2);
}

await main();
