/**
 * Where a start goes on, read from the end of the log itself: nothing else has to be kept, and
 * nothing can disagree with the log, whenever the process was killed.
 */
import { parseTime } from '../../core/time.ts';
import type { TopicReader } from '../../log/log.ts';
import { EVENT_ID_PREFIX } from './shoppers.ts';

/** Enough to find a simulated event among those of others. */
const TAIL_RECORDS = 256;
const READ_BYTES = 1_048_576;
/** Live events arrive within seconds of their time, those of a back-fill hours after. */
const LIVE_WITHIN_MS = 60_000;

/**
 * The time from which events are to be made up: `backfillMs` ago for a new log, where a back-fill
 * was cut off, or now. What lies between two runs is a lull and is never filled.
 */
export async function resumeFromMs(
  topic: TopicReader,
  nowMs: number,
  backfillMs: number,
): Promise<number> {
  if (backfillMs === 0) return nowMs;
  let isNew = true;
  let newest: Newest | null = null;
  for (let partition = 0; partition < topic.partitionCount; partition++) {
    if (topic.endOffset(partition) === 0) continue;
    isNew = false;
    newest = later(newest, await newestSimulated(topic, partition));
  }
  if (isNew) return nowMs - backfillMs;
  if (newest === null || newest.arrivalMs - newest.timestamp < LIVE_WITHIN_MS) return nowMs;
  return Math.min(nowMs, Math.max(newest.timestamp + 1, nowMs - backfillMs));
}

interface Newest {
  readonly timestamp: number;
  readonly arrivalMs: number;
}

async function newestSimulated(topic: TopicReader, partition: number): Promise<Newest | null> {
  let newest: Newest | null = null;
  const endOffset = topic.endOffset(partition);
  let offset = Math.max(0, endOffset - TAIL_RECORDS);
  while (offset < endOffset) {
    const records = await topic.read(partition, offset, READ_BYTES);
    if (records.length === 0) break;
    for (const { value, arrivalMs } of records) {
      const timestamp = simulatedTime(value);
      if (timestamp !== null) newest = later(newest, { timestamp, arrivalMs });
    }
    offset = records[records.length - 1]!.offset + 1;
  }
  return newest;
}

function later(a: Newest | null, b: Newest | null): Newest | null {
  if (a === null || b === null) return a ?? b;
  return a.timestamp >= b.timestamp ? a : b;
}

const BEGINNING = `{"eventId":"${EVENT_ID_PREFIX}`;

/** The time of an event that the simulator wrote; null for anybody else's. */
function simulatedTime(value: Uint8Array): number | null {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (bytes.toString('latin1', 0, BEGINNING.length) !== BEGINNING) return null;
  try {
    return parseTime((JSON.parse(bytes.toString()) as { timestamp?: unknown }).timestamp);
  } catch {
    return null;
  }
}
