/**
 * A gateway on a free port, over a real log and live cache; history and state as a test has them.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_DEFINITION } from '../../src/core/definition.ts';
import type { SentRecord, SessionRecord } from '../../src/core/output.ts';
import type { Live } from '../../src/live/live.ts';
import { openProcessLive } from '../../src/live/process-live.ts';
import type { Topic } from '../../src/log/log.ts';
import { openSegmentLog } from '../../src/log/segment-log.ts';
import { type Clock, systemClock } from '../../src/ops/clock.ts';
import { createLogger } from '../../src/ops/logger.ts';
import { createMetrics, type Metrics } from '../../src/ops/metrics.ts';
import { startApiGateway } from '../../src/services/api-gateway/gateway.ts';
import type { GatewayOptions } from '../../src/services/api-gateway/options.ts';
import { closed } from './history-records.ts';
import { MemoryHistory } from './memory-history.ts';

export interface OpenGateway {
  readonly url: string;
  readonly events: Topic;
  readonly sessions: Topic;
  readonly live: Live;
  readonly metrics: Metrics;
  /** Lines of the logger, parsed. */
  readonly logged: { readonly level: string; readonly msg: string }[];
  /** Makes a session the live one of its user, or takes it away. */
  publish(userId: string, session: SessionRecord | null): Promise<void>;
  send(record: SentRecord): Promise<void>;
  close(): Promise<void>;
}

const PARTITIONS = 4;

export async function openGateway(parts: Partial<GatewayOptions> = {}): Promise<OpenGateway> {
  const directory = await mkdtemp(join(tmpdir(), 'lull-gateway-'));
  const clock: Clock = parts.clock ?? systemClock;
  const openLog = (name: string) =>
    openSegmentLog({ directory, name, partitionCount: PARTITIONS, fsync: 'never', clock });
  const events = parts.events ?? (await openLog('user-events'));
  const sessions = await openLog('sessions');
  const live = openProcessLive({
    clock,
    ttlMs: 35 * 60_000,
    maxUsers: 10_000,
    decode: (_userId, bytes) => JSON.parse(Buffer.from(bytes).toString()) as SessionRecord,
  });
  const metrics = createMetrics();
  const logged: OpenGateway['logged'] = [];
  const gateway = await startApiGateway({
    host: '127.0.0.1',
    port: 0,
    access: { token: null, corsOrigins: [], allowedHosts: [] },
    intakeRatePerSecond: 0,
    definition: DEFAULT_DEFINITION,
    sessions,
    live,
    liveTiers: ['process'],
    history: new MemoryHistory(),
    query: null,
    held: parts.query ? { query: parts.query, partitions: () => [] } : null,
    partitions: () => [],
    intake: () => null,
    health: () => ({ status: 'ok', parts: [] }),
    ready: () => true,
    metrics,
    rate: null,
    clock,
    logger: createLogger('warn', { write: (line) => logged.push(JSON.parse(line)) }),
    ...parts,
    events,
  });
  let position = 0;
  return {
    url: gateway.url,
    events,
    sessions,
    live,
    metrics,
    logged,
    async publish(userId, session) {
      const bytes = session === null ? null : Buffer.from(JSON.stringify(session));
      await live.publish(0, ++position, [{ userId, session: bytes }]);
    },
    async send(record) {
      const value = Buffer.from(JSON.stringify(record));
      await sessions.append([{ partition: 0, key: record.userId, value }]);
    },
    async close() {
      await gateway.close();
      await events.close();
      await sessions.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** A live session; what a test does not care about has one plain value. */
export function makeSession(parts: Partial<SessionRecord> = {}): SessionRecord {
  return closed('0a1b2c3d4e5f60718293a4b5c6d7e8f9', 0, {
    userId: 'user-1',
    state: 'active',
    tier: null,
    closeReason: null,
    ...parts,
  });
}
