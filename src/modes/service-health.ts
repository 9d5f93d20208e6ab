/** What the services of a process say of themselves to its port, in every mode. */
import { LullError } from '../errors.ts';
import type { History } from '../history/history.ts';
import type { RateControl } from '../http/rate-routes.ts';
import type { Clock } from '../ops/clock.ts';
import type { HealthPart } from '../ops/health.ts';
import type { EventProducer } from '../services/event-producer/event-producer.ts';
import type { SessionProcessor } from '../services/session-processor/session-processor.ts';

const WATCH_MS = 5000;

export function processorHealth(processor: SessionProcessor): HealthPart {
  const name = 'session-processor';
  const behind = processor.status().filter(({ state }) => state !== 'running');
  if (behind.length === 0) return { name, status: 'ok', reason: null };
  const stopped = behind.find(({ state }) => state === 'stopped');
  if (stopped !== undefined) return { name, status: 'down', reason: stopped.reason ?? 'stopped' };
  const numbers = behind.map(({ partition }) => partition).join(', ');
  return { name, status: 'degraded', reason: `restoring partition ${numbers}` };
}

export function producerHealth(producer: EventProducer): HealthPart {
  return partHealth('event-producer', producer.problem());
}

/** Of something outside that can be away. */
export function partHealth(name: string, problem: string | null): HealthPart {
  return { name, status: problem === null ? 'ok' : 'degraded', reason: problem };
}

/** Asks history now and then how it is, for `/health`. */
export function watchHistory(
  history: History,
  clock: Clock,
  signal: AbortSignal,
): { readonly problem: () => string | null } {
  let problem: string | null = null;
  async function watch(): Promise<void> {
    while (!signal.aborted) {
      try {
        await history.positions();
        problem = null;
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
      await clock.sleep(WATCH_MS, signal);
    }
  }
  void watch();
  return { problem: () => problem };
}

export function rateOf(producer: EventProducer): RateControl {
  return {
    get: () => producer.rate().eventsPerSecond,
    set: (eventsPerSecond) => {
      try {
        producer.setRate(eventsPerSecond);
        return null;
      } catch (error) {
        if (error instanceof LullError) return error.message;
        throw error;
      }
    },
  };
}
