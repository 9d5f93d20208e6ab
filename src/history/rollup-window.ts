/** Which part of a time window the rollup's whole buckets answer, and which the rows. */
import { timestamp } from './row.ts';

/** Length of the rollup's buckets, by end time. */
export const BUCKET_MS = 5 * 60_000;

/** For a statement: whole buckets [1, 2), then rows [3, 4) before them and [5, 6) after. */
export function splitWindow(fromMs: number, toMs: number, bucketMs: number): string[] {
  const firstMs = Math.ceil(fromMs / bucketMs) * bucketMs;
  const lastMs = Math.floor(toMs / bucketMs) * bucketMs;
  // Within one bucket, or across one boundary's neighbours, there is no whole bucket: rows alone.
  const bounds =
    firstMs < lastMs
      ? [firstMs, lastMs, fromMs, firstMs, lastMs, toMs]
      : [fromMs, fromMs, fromMs, toMs, toMs, toMs];
  return bounds.map(timestamp);
}
