/** One run: load, faults one after the other, then calm, and everything held against the model. */
import { setTimeout as sleep } from 'node:timers/promises';
import { partitionOf } from '../../src/core/hash.ts';
import { seededRandom } from '../support/seeded-random.ts';
import type { Fault } from './faults.ts';
import { Load } from './load.ts';
import { type ChaosSystem, DEFINITION, PARTITIONS, startChaosSystem } from './system.ts';
import { type Findings, verify } from './verify.ts';

const EVENTS_PER_SECOND = 300;
const MAX_CALM_MS = 4000;
const READY_WITHIN_MS = 120_000;
/** All sessions of the load are settled by then. */
const SETTLED_MS = DEFINITION.gapMs + DEFINITION.tiersMs.at(-1)! + 2000;

export interface ChaosOptions {
  readonly seed: number;
  /** The next fault; null when it is enough. */
  readonly nextFault: (random: () => number) => Fault | null;
  readonly tell: (line: string) => void;
}

/** Rejects when anything is lost, doubled or wrong, or when the system doesn't come back. */
export async function runChaos({ seed, nextFault, tell }: ChaosOptions): Promise<Findings> {
  const random = seededRandom(seed);
  const system = await startChaosSystem();
  try {
    await system.ready(READY_WITHIN_MS);
    tell('everything is ready');
    const load = new Load(() => gateways(system), seededRandom(seed + 1), EVENTS_PER_SECOND);
    load.start();
    for (let fault = nextFault(random); fault !== null; fault = nextFault(random)) {
      await sleep(random() * MAX_CALM_MS);
      tell(fault.name);
      await fault.run(system, random);
      await system.ready(READY_WITHIN_MS);
    }
    await load.stop();
    tell(`${load.acknowledged.size} events acknowledged, ${load.failures} requests sent again`);
    await sleep(SETTLED_MS);
    const lastUsers = lastUserOfEachPartition();
    await load.sendOne(lastUsers);
    return await verified(system, load, new Set(lastUsers), tell);
  } catch (error) {
    for (const { name, output } of system.instances) tell(`--- ${name}\n${output.slice(-4000)}`);
    throw error;
  } finally {
    await system.stop();
  }
}

/** What was committed last has to reach history: tried until it holds, or time is up. */
async function verified(
  system: ChaosSystem,
  load: Load,
  lastUsers: ReadonlySet<string>,
  tell: (line: string) => void,
): Promise<Findings> {
  const { kafka, postgres } = system;
  const topic = await kafka.tool('topics', [
    ...['--bootstrap-server', kafka.bootstrapServers, '--describe', '--topic', 'user-events'],
  ]);
  const logId = uuidOf(/TopicId: (\S+)/.exec(topic)![1]!);
  const options = {
    ...{ kafka, definition: DEFINITION, logId, partitionCount: PARTITIONS, lastUsers },
    ...{ databaseUrl: postgres.url('sessiondb'), acknowledged: load.acknowledged },
  };
  for (let tries = 4; ; tries--) {
    await sleep(5000);
    try {
      return await verify(options);
    } catch (error) {
      if (tries === 0) throw error;
      tell(`not yet: ${String(error).slice(0, 1000)}`);
    }
  }
}

/** Kafka's tools print a topic's id in base 64. */
function uuidOf(topicId: string): string {
  const hex = Buffer.from(topicId, 'base64url').toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function gateways(system: ChaosSystem): string[] {
  return system.of('api-gateway').map(({ url }) => url);
}

function lastUserOfEachPartition(): string[] {
  const users = new Map<number, string>();
  for (let number = 0; users.size < PARTITIONS; number++) {
    const userId = `last-${number}`;
    const partition = partitionOf(userId, PARTITIONS);
    if (!users.has(partition)) users.set(partition, userId);
  }
  return [...users.values()];
}
