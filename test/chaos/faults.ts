/** What can happen to a distributed system; a fault resolves when all is started again. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Instance, Service } from './instances.ts';
import { type ChaosSystem, DEFINITION, SESSION_TIMEOUT_MS } from './system.ts';

export type Random = () => number;

export interface Fault {
  readonly name: string;
  readonly run: (system: ChaosSystem, random: Random) => Promise<void>;
}

/** Beyond the session timeout and the idle time: a zombie wakes that believes sessions are due. */
const ZOMBIE_MS = SESSION_TIMEOUT_MS + DEFINITION.idleMs + 2000;
const MAX_AWAY_MS = 5000;
const BROKERS = [1, 2, 3] as const;

const killOf = (service: Service): Fault => ({
  name: `SIGKILL of a ${service}`,
  run: async (system, random) => {
    const victim = oneOf(system.of(service), random);
    await victim.end('SIGKILL');
    await sleep(random() * MAX_AWAY_MS);
    victim.start();
  },
});

const stopProcessor: Fault = {
  name: 'SIGSTOP of a session-processor beyond its session timeout',
  run: async (system, random) => {
    const victim = oneOf(system.of('session-processor'), random);
    victim.suspend();
    await sleep(ZOMBIE_MS + random() * MAX_AWAY_MS);
    victim.resume();
  },
};

const loseState: Fault = {
  name: 'a session-processor comes back without its data folder',
  run: async (system, random) => {
    const victim = oneOf(system.of('session-processor'), random);
    await victim.end('SIGKILL');
    victim.deleteData();
    await sleep(random() * MAX_AWAY_MS);
    victim.start();
  },
};

const scale: Fault = {
  name: 'three session-processors, one, two, three',
  run: async (system, random) => {
    const [first, second] = shuffled(system.of('session-processor'), random);
    await Promise.all([first!.end('SIGTERM'), second!.end('SIGTERM')]);
    await sleep(random() * MAX_AWAY_MS);
    first!.start();
    await sleep(random() * MAX_AWAY_MS);
    second!.start();
  },
};

const killBroker: Fault = {
  name: 'SIGKILL of a broker',
  run: async ({ kafka }, random) => {
    const node = oneOf(BROKERS, random);
    await kafka.kill(node);
    await sleep(random() * MAX_AWAY_MS);
    await kafka.restart(node);
  },
};

const restartBrokers: Fault = {
  name: 'SIGKILL of all brokers',
  run: async ({ kafka }) => {
    await Promise.all(BROKERS.map((node) => kafka.kill(node)));
    await Promise.all(BROKERS.map((node) => kafka.restart(node)));
  },
};

const restartRedis: Fault = {
  name: 'SIGKILL of Redis, which comes back empty',
  run: async ({ redis }, random) => {
    await redis.kill();
    await sleep(random() * MAX_AWAY_MS);
    await redis.start();
  },
};

const restartPostgres: Fault = {
  name: 'SIGKILL of PostgreSQL',
  run: async ({ postgres }, random) => {
    await postgres.kill();
    await sleep(random() * MAX_AWAY_MS);
    await postgres.start();
  },
};

const KILL_PROCESSOR = killOf('session-processor');
const KILL_ANALYTICS = killOf('session-analytics');

/** What continuous integration has time for. */
export const SHORT_FAULTS: readonly Fault[] = [
  KILL_PROCESSOR,
  KILL_ANALYTICS,
  killBroker,
  stopProcessor,
];

export const ALL_FAULTS: readonly Fault[] = [
  ...SHORT_FAULTS,
  killOf('api-gateway'),
  loseState,
  scale,
  restartBrokers,
  restartRedis,
  restartPostgres,
  together(KILL_PROCESSOR, killBroker),
  together(KILL_PROCESSOR, restartRedis),
  together(KILL_ANALYTICS, restartPostgres),
  together(stopProcessor, killBroker),
];

function together(one: Fault, other: Fault): Fault {
  return {
    name: `${one.name}, and ${other.name}`,
    run: async (system, random) => {
      await Promise.all([one.run(system, random), other.run(system, random)]);
    },
  };
}

function oneOf<Value>(values: readonly Value[], random: Random): Value {
  return values[Math.floor(random() * values.length)]!;
}

function shuffled(instances: readonly Instance[], random: Random): Instance[] {
  return instances
    .map((instance) => ({ instance, place: random() }))
    .sort((one, other) => one.place - other.place)
    .map(({ instance }) => instance);
}
