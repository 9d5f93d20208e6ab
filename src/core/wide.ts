/**
 * Whole numbers beyond 31 bits as two small ones. V8 keeps a small integer in the object itself;
 * any other number is an object apart: a cache miss to read, an allocation to write.
 */

const UNIT = 2 ** 31;
/** The high half of Infinity; that of -Infinity is its negative. */
const INFINITE = 2 ** 31 - 1;

/** For a whole number within ±2^53, or an infinity. */
export function highOf(value: number): number {
  if (value === Number.POSITIVE_INFINITY) return INFINITE;
  if (value === Number.NEGATIVE_INFINITY) return -INFINITE;
  return Math.floor(value / UNIT) | 0;
}

export function lowOf(value: number): number {
  return (value - Math.floor(value / UNIT) * UNIT) | 0;
}

/** The number whose halves these are. */
export function joined(high: number, low: number): number {
  if (high === INFINITE) return Number.POSITIVE_INFINITY;
  if (high === -INFINITE) return Number.NEGATIVE_INFINITY;
  return high * UNIT + low;
}
