/**
 * What a test needs beyond the project: where it is missing the test is skipped, but never in CI.
 */

/** For a test's `skip`: false when the thing is there, else the reason. Throws in CI. */
export function unless(isThere: boolean, reason: string): string | false {
  if (isThere) return false;
  if (process.env['CI'] === 'true') throw new Error(`CI must not skip: ${reason}`);
  return reason;
}
