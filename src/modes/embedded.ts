/** The whole system in one process, on the embedded log, state, live cache and history. */
import { access, constants, mkdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { LullError } from '../errors.ts';
import type { History } from '../history/history.ts';
import { openEmbeddedHistory } from '../history/pglite.ts';
import { accessOf } from '../http/access.ts';
import { refusePortTaken } from '../http/server.ts';
import type { Live } from '../live/live.ts';
import { openProcessLive } from '../live/process-live.ts';
import type { Topic } from '../log/log.ts';
import { openSegmentLog } from '../log/segment-log.ts';
import type { Clock } from '../ops/clock.ts';
import { healthOf } from '../ops/health.ts';
import type { Lifecycle } from '../ops/lifecycle.ts';
import type { Logger } from '../ops/logger.ts';
import { createMetrics } from '../ops/metrics.ts';
import { diskBytes, startRetention } from '../ops/retention.ts';
import { startApiGateway } from '../services/api-gateway/gateway.ts';
import type { BackfillProgress, EventProducer } from '../services/event-producer/event-producer.ts';
import { producerMetrics } from '../services/event-producer/producer-metrics.ts';
import {
  type SessionAnalytics,
  startSessionAnalytics,
} from '../services/session-analytics/session-analytics.ts';
import {
  processorMetrics,
  watchProcessor,
} from '../services/session-processor/processor-metrics.ts';
import { SessionProcessor } from '../services/session-processor/session-processor.ts';
import { decodeLive } from '../services/session-processor/state-reader.ts';
import { openRocksStore } from '../state/rocksdb-store.ts';
import type { StateStore } from '../state/state.ts';
import { partHealth, processorHealth, producerHealth, rateOf } from './service-health.ts';
import { BACK_FILLING, startSimulator } from './simulator.ts';

export interface EmbeddedOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Everything that is started is added to it, to be stopped in reverse order. */
  readonly lifecycle: Lifecycle;
  readonly onBackfill: (progress: BackfillProgress) => void;
}

export interface EmbeddedSystem {
  readonly url: string;
  /** Resolves once the back-fill, if any, can be seen in history. */
  readonly ready: Promise<void>;
  /** Rejects when something without which it can't go on has failed. */
  readonly failed: Promise<never>;
  /** What the data takes now. */
  readonly diskBytes: () => Promise<number>;
}

/** Live users kept; the oldest go beyond it, and are then answered from the state. */
const MAX_LIVE_USERS = 2_000_000;
/** Empty stores take 82 MB. */
const MIN_FREE_BYTES = 100_000_000;
/** How often a wait for readiness looks whether it is still wanted. */
const LOOK_MS = 1000;

/** Opens everything, serves, then back-fills; resolves as soon as it serves. */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedSystem> {
  const { config, clock, logger, lifecycle } = options;
  // Before anything is made or filled in.
  await refusePortTaken(config);
  const metrics = createMetrics();
  const stores = await openStores(options);
  const { store, events, history, live } = stores;
  const sessions = store.topic('sessions');
  const analytics = startSessionAnalytics({
    topic: sessions,
    history,
    clock,
    logger,
    metrics,
    retainSessionsMs: config.retainSessionsMs,
    sync: () => store.sync(),
    release: (offsets) => store.releaseOutputs('sessions', offsets),
  });
  analytics.assign(Array.from({ length: sessions.partitionCount }, (_, partition) => partition));
  lifecycle.add('session-analytics', () => analytics.close());
  const processor = await SessionProcessor.open({
    ...config,
    ...processorMetrics(metrics, live),
    input: events,
    store,
    live,
    clock,
  });
  lifecycle.add('session-processor', () => processor.close());
  watchProcessor(metrics, {
    ...{ processor, store, clock, memoryUsers: config.memoryUsers },
    restoreRecords: () => null,
    standbyTarget: 0,
    standbys: () => new Map(),
  });
  await processor.restoreLive();
  const failed = processor.start() as Promise<never>;
  failed.catch(() => {});
  const retention = startRetention({ ...config, ...stores, clock, logger, metrics });
  lifecycle.add('retention', () => retention.stop());
  const producer = config.simulate ? startSimulator(options, events) : null;
  if (producer !== null) {
    producerMetrics(metrics, producer);
    lifecycle.add('event-producer', () => producer.stop());
  }

  let isReady = false;
  const gateway = await startApiGateway({
    ...config,
    access: accessOf(config),
    ...stores,
    liveTiers: ['process'],
    sessions,
    query: processor,
    held: { query: processor, partitions: () => processor.status() },
    partitions: () => processor.status(),
    intake: () => (isReady ? null : BACK_FILLING),
    health: () =>
      healthOf([
        processorHealth(processor),
        analytics.health(),
        ...(producer === null ? [] : [producerHealth(producer)]),
        partHealth('retention', retention.problem()),
        partHealth('intake', isReady ? null : BACK_FILLING.message),
      ]),
    ready: () => isReady,
    metrics,
    rate: producer === null ? null : rateOf(producer),
    clock,
    logger,
  });
  lifecycle.add('api-gateway', () => gateway.close());
  const ready = becomeReady(lifecycle.signal, stores, producer, processor, analytics).then(() => {
    isReady = true;
  });
  return { url: gateway.url, ready, failed, diskBytes: () => diskBytes(stores) };
}

interface Stores {
  readonly store: StateStore;
  readonly events: Topic;
  readonly history: History;
  readonly live: Live;
}

async function openStores(options: EmbeddedOptions): Promise<Stores> {
  const { config, clock, logger, lifecycle } = options;
  const { definition, dataDir, partitions: partitionCount } = config;
  await makeFolder(dataDir);
  // The state's lock keeps a second process off the whole folder, so it comes first.
  const store = await openRocksStore({
    directory: join(dataDir, 'state'),
    partitionCount,
    outputTopics: ['sessions', 'late-events', 'rejected-events'],
    clock,
  });
  lifecycle.add('state', () => store.close());
  const events = await openSegmentLog({
    directory: join(dataDir, 'log'),
    name: 'user-events',
    partitionCount,
    fsync: config.fsync,
    clock,
    maxBytes: Math.ceil(config.maxDiskBytes / 2),
  });
  lifecycle.add('log', () => events.close());
  const { cutBytes } = events;
  if (cutBytes > 0) logger.warn({ cutBytes }, 'the end of the log was not written to its end');
  const history = await openEmbeddedHistory({ directory: join(dataDir, 'history') });
  lifecycle.add('history', () => history.close());
  const live = openProcessLive({
    clock,
    ttlMs: definition.gapMs + definition.tiersMs[0]!,
    maxUsers: MAX_LIVE_USERS,
    decode: (userId, bytes, partition) =>
      decodeLive(definition, { logId: events.logId, partition }, userId, bytes),
  });
  lifecycle.add('live', () => live.close());
  return { store, events, history, live };
}

/** Ready once what was there at the start, and the back-fill, is processed and in history. */
async function becomeReady(
  signal: AbortSignal,
  { events }: Stores,
  producer: EventProducer | null,
  processor: SessionProcessor,
  analytics: SessionAnalytics,
): Promise<void> {
  await producer?.backfilled;
  for (let partition = 0; partition < events.partitionCount; partition++) {
    const last = events.endOffset(partition) - 1;
    while (last >= 0 && !(await processor.waitVisible(partition, last, LOOK_MS))) {
      if (signal.aborted) return;
    }
  }
  await analytics.waitApplied();
}

/** Refuses what can't be written, or has too little room even for empty stores. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
    await access(path, constants.W_OK);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const message = `the folder ${path} can't be made or written: ${code}`;
    throw new LullError('data_unwritable', message, { cause });
  }
  const { bavail, bsize } = await statfs(path);
  if (bavail * bsize >= MIN_FREE_BYTES) return;
  const free = Math.floor((bavail * bsize) / 1e6);
  throw new LullError('disk_full', `the disk of ${path} has ${free} MB left; 100 MB are needed`);
}
