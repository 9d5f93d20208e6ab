/** event-producer on Kafka: first the past, seen through into history; then in real time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { producerMetrics } from '../services/event-producer/producer-metrics.ts';
import { partHealth, producerHealth, rateOf } from './service-health.ts';
import type { Parts, RunningService } from './service-parts.ts';
import { BACK_FILLING, startSimulator } from './simulator.ts';

const LOOK_MS = 1000;
const SOON_MS = 200;

export function startProducer(parts: Parts): RunningService {
  const { lifecycle } = parts;
  const producer = startSimulator(parts, parts.events);
  producerMetrics(parts.metrics, producer);
  let isFilled = false;
  const filling = seenThrough(parts, producer.backfilled).then(() => {
    isFilled = !lifecycle.signal.aborted;
  });
  return {
    health: () => [
      producerHealth(producer),
      partHealth('intake', isFilled ? null : BACK_FILLING.message),
    ],
    isReady: () => isFilled,
    join: () => Promise.all([producer.ended, filling]),
    leave: () => producer.stop(),
    rate: rateOf(producer),
    intake: () => (isFilled ? null : BACK_FILLING),
  };
}

/** Resolves once all that the log holds by then is processed, and the sessions of it in history. */
async function seenThrough(parts: Parts, backfilled: Promise<number>): Promise<void> {
  const { events, query, sessions, history, lifecycle } = parts;
  const { signal } = lifecycle;
  if ((await backfilled) === 0) return;
  for (let partition = 0; partition < events.partitionCount; partition++) {
    const last = events.endOffset(partition) - 1;
    while (last >= 0 && (await query.waitVisible(partition, last, LOOK_MS)) === null) {
      if (signal.aborted) return;
    }
  }
  await sessions.refreshEnds([], signal);
  const ends = Array.from({ length: sessions.partitionCount }, (_, partition) =>
    sessions.endOffset(partition),
  );
  while (!signal.aborted) {
    // While history is away, its own service says so.
    const positions = await history!.positions().catch(() => []);
    const reached = new Map<number, number>();
    for (const { logId, partition, nextOffset } of positions) {
      if (logId === sessions.logId) reached.set(partition, nextOffset);
    }
    if (ends.every((end, partition) => end === 0 || (reached.get(partition) ?? 0) >= end)) return;
    await sleep(SOON_MS);
  }
}
