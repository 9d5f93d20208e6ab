/** What the gateway is given: its address, the interfaces that it answers from, and who may ask. */
import type { SessionDefinition } from '../../core/definition.ts';
import type { ErrorCode } from '../../errors.ts';
import type { History } from '../../history/history.ts';
import type { Access } from '../../http/access.ts';
import type { RateControl } from '../../http/rate-routes.ts';
import type { Live } from '../../live/live.ts';
import type { Topic, TopicReader } from '../../log/log.ts';
import type { Clock } from '../../ops/clock.ts';
import type { HealthReport } from '../../ops/health.ts';
import type { Logger } from '../../ops/logger.ts';
import type { Metrics } from '../../ops/metrics.ts';
import type { PartitionStatus, SessionQuery } from '../../state/query.ts';

export interface GatewayOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly access: Access;
  /** Most events a second from one address, refused ones too; 0 for no bound. */
  readonly intakeRatePerSecond: number;
  readonly definition: SessionDefinition;
  readonly events: Topic;
  /** The topic of sent sessions, for streams. */
  readonly sessions: TopicReader;
  readonly live: Live;
  /** What it is made of, the nearest first. */
  readonly liveTiers: readonly ('process' | 'redis')[];
  readonly history: History;
  /** The processors' state, wherever it is held; null where it can't be asked. */
  readonly query: SessionQuery | null;
  /** What a processor in this process holds, to be asked for by others; null where none runs. */
  readonly held: HeldState | null;
  /** How the partitions are, of those processors that can be asked. */
  readonly partitions: () => readonly PartitionStatus[] | Promise<readonly PartitionStatus[]>;
  /** Why no events are taken at present (back-fill, disk); null when they are. */
  readonly intake: () => IntakeClosed | null;
  readonly health: () => HealthReport;
  readonly ready: () => boolean;
  readonly metrics: Metrics;
  /** The simulator's rate; null when none runs. */
  readonly rate: RateControl | null;
  /** Streams open at a time. Default 10,000. */
  readonly maxStreams?: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface HeldState {
  readonly query: SessionQuery;
  readonly partitions: () => readonly PartitionStatus[];
}

export interface IntakeClosed {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryAfterSeconds: number;
}
