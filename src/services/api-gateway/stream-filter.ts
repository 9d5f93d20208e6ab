/** What a stream's reader wants to see of what happens. */
import type { SentRecord, SessionRecord } from '../../core/output.ts';

export const STREAM_STATES = ['active', 'closed', 'amended', 'merged'] as const;
export type StreamState = (typeof STREAM_STATES)[number];

/** All conditions that are given must hold; those on figures let no `merged` pass. */
export interface StreamFilter {
  readonly states: ReadonlySet<StreamState>;
  readonly userId?: string;
  readonly minEvents?: number;
  readonly hasCart?: boolean;
  readonly hasConversion?: boolean;
  readonly device?: string;
}

export function wants(filter: StreamFilter, record: SentRecord): boolean {
  if (!filter.states.has(record.state)) return false;
  if (filter.userId !== undefined && filter.userId !== record.userId) return false;
  return record.state === 'merged' ? !asksForFigures(filter) : fits(filter, record);
}

function asksForFigures({ minEvents, hasCart, hasConversion, device }: StreamFilter): boolean {
  return [minEvents, hasCart, hasConversion, device].some((value) => value !== undefined);
}

function fits(filter: StreamFilter, session: SessionRecord): boolean {
  const { minEvents = 0, hasCart, hasConversion, device } = filter;
  if (session.eventCount < minEvents) return false;
  if (hasCart !== undefined && hasCart !== session.addToCarts > 0) return false;
  if (hasConversion !== undefined && hasConversion !== session.hasConversion) return false;
  return device === undefined || device === session.device;
}
