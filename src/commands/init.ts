/** `lull init`: the topics and tables that services need; they see to it themselves as well. */
import { checkRun, withoutPassword } from '../config.ts';
import { systemClock } from '../ops/clock.ts';
import { Lifecycle } from '../ops/lifecycle.ts';
import { createLogger } from '../ops/logger.ts';
import type { Command } from './command.ts';
import { KAFKA_SETTINGS } from './run.ts';

const STOP_WITHIN_MS = 10_000;

export const init: Command = {
  name: 'init',
  summary: 'make the topics and tables that services need; safe to repeat',
  settings: [...KAFKA_SETTINGS, 'databaseUrl', 'logLevel'],
  run: async ({ loaded }) => {
    checkRun(loaded);
    const { config } = loaded;
    const logger = createLogger(config.logLevel);
    const lifecycle = new Lifecycle(systemClock, logger, STOP_WITHIN_MS);
    lifecycle.stopOnSignals();
    const { initTopics, initTables } = await import('../modes/init.ts');
    try {
      for (const line of await initTopics(config, systemClock, logger, lifecycle.signal)) {
        console.log(line);
      }
      await initTables(config, systemClock, logger, lifecycle.signal);
      console.log(`tables in ${withoutPassword(config.databaseUrl)}: up to date`);
    } catch (error) {
      if (lifecycle.signal.aborted) return 1;
      throw error;
    } finally {
      await lifecycle.stop();
    }
    return 0;
  },
};
