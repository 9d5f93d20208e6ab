/** The simulated shoppers as the settings want them, and what intake says while they back-fill. */
import type { Config } from '../config.ts';
import type { Topic } from '../log/log.ts';
import type { Clock } from '../ops/clock.ts';
import type { IntakeClosed } from '../services/api-gateway/options.ts';
import {
  type BackfillProgress,
  type EventProducer,
  startEventProducer,
} from '../services/event-producer/event-producer.ts';

export const BACK_FILLING: IntakeClosed = {
  code: 'back_filling',
  message: 'the past is being filled in',
  retryAfterSeconds: 5,
};

interface SimulatorOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly onBackfill: (progress: BackfillProgress) => void;
}

export function startSimulator(options: SimulatorOptions, topic: Topic): EventProducer {
  const { config, clock, onBackfill } = options;
  return startEventProducer({
    topic,
    clock,
    seed: config.seed ?? clock.nowMs(),
    users: config.users ?? undefined,
    rate: config.ratePerSecond ?? undefined,
    backfillMs: config.backfillMs,
    onBackfill,
  });
}
