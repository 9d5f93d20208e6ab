/** `lull start`: the whole system in one process, until it is told to stop. */
import { type Config, checkStart } from '../config.ts';
import { systemClock } from '../ops/clock.ts';
import { Lifecycle } from '../ops/lifecycle.ts';
import { createLogger } from '../ops/logger.ts';
import { Report, sized } from '../ops/report.ts';
import type { BackfillProgress } from '../services/event-producer/event-producer.ts';
import { loadOf } from '../services/event-producer/load.ts';
import type { Command } from './command.ts';
import { backfillLine, startLine, startScreen } from './start-screen.ts';

/** Everything must have stopped by then. */
const STOP_WITHIN_MS = 30_000;

export const start: Command = {
  name: 'start',
  summary: 'run the whole system in one process',
  settings: [
    ...(['host', 'port', 'token', 'auth', 'corsOrigins'] as const),
    ...(['allowedHosts', 'intakeRatePerSecond', 'dataDir'] as const),
    ...(['gapMs', 'graceMs', 'tiersMs', 'maxDurationMs', 'maxEvents', 'endTypes'] as const),
    ...(['idleMs', 'maxFutureMs', 'partitions', 'fsync', 'commitIntervalMs'] as const),
    ...(['memoryUsers', 'retainEventsMs', 'retainSessionsMs', 'maxDiskBytes'] as const),
    ...(['simulate', 'backfillMs', 'users', 'ratePerSecond', 'seed', 'logLevel'] as const),
  ],
  run: async ({ loaded }) => {
    checkStart(loaded);
    const { config } = loaded;
    if (config.simulate) {
      // A load that can't work is refused before anything is made.
      loadOf({ users: config.users ?? undefined, rate: config.ratePerSecond ?? undefined });
    }
    const logger = createLogger(config.logLevel);
    const lifecycle = new Lifecycle(systemClock, logger, STOP_WITHIN_MS);
    try {
      await serve(config, lifecycle, logger);
    } catch (error) {
      await lifecycle.stop();
      throw error;
    }
    return (await lifecycle.stop()) ? 0 : 1;
  },
};

/** Resolves when a signal has stopped the system; rejects when it can't start or go on. */
async function serve(
  config: Config,
  lifecycle: Lifecycle,
  logger: ReturnType<typeof createLogger>,
): Promise<void> {
  const report = new Report(process.stderr, systemClock);
  let backfill: BackfillProgress | null = null;
  const { startEmbedded } = await import('../modes/embedded.ts');
  const system = await startEmbedded({
    config,
    clock: systemClock,
    logger,
    lifecycle,
    onBackfill: (reached) => {
      backfill = reached;
      report.progress(() => backfillLine(reached));
    },
  });
  // Until here a signal simply ends the process: nothing that it took has been acknowledged yet.
  lifecycle.stopOnSignals();
  console.log(startScreen(config, system.url, await system.diskBytes()));
  const { simulate } = config;
  logger.info({ ...startLine(config, system.url), simulate }, 'Lull is running');
  const ready = system.ready.then(async () => {
    if (lifecycle.signal.aborted) return;
    const filled = backfill === null ? '' : `${backfillLine(backfill)}. `;
    report.line(`${filled}Ready; the data takes ${sized(await system.diskBytes())}`);
  });
  await Promise.race([system.failed, lifecycle.stopped, ready.then(() => lifecycle.stopped)]);
}
