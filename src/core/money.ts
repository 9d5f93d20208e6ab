/** Money as integer millionths: floating sums depend on the order of their terms, these don't. */

const DECIMAL = /^([+-]?)(\d{1,15})(?:\.(\d*))?(?:[eE]([+-]?\d{1,2}))?$/;
/** Below this, a double times a million is still an exact integer after rounding. */
const EXACT_LIMIT = 1e9;

/**
 * Parses a JSON number or its decimal text into millionths, half away from zero beyond the sixth
 * decimal; null when it is not a decimal number of at most 15 digits before the point.
 */
export function parseMoney(value: unknown): bigint | null {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return null;
    if (value > -EXACT_LIMIT && value < EXACT_LIMIT) {
      const micros = Math.round(Math.abs(value) * 1e6);
      return BigInt(value < 0 ? -micros : micros);
    }
    return parseDecimal(String(value));
  }
  return typeof value === 'string' ? parseDecimal(value) : null;
}

function parseDecimal(text: string): bigint | null {
  const match = DECIMAL.exec(text);
  if (match === null) return null;
  const fraction = match[3] ?? '';
  const exponent = Number(match[4] ?? 0);
  // One decimal more than is kept decides the rounding.
  const scale = 7 + exponent - fraction.length;
  let digits = BigInt(match[2] + fraction);
  digits = scale >= 0 ? digits * 10n ** BigInt(scale) : digits / 10n ** BigInt(-scale);
  const micros = (digits + 5n) / 10n;
  if (micros >= 10n ** 21n) return null;
  return match[1] === '-' ? -micros : micros;
}

/** Millionths as a JSON number: 59900000n -> 59.9. */
export function moneyNumber(micros: bigint): number {
  return Number(micros) / 1e6;
}
