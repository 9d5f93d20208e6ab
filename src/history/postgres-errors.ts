/** What an error of PostgreSQL, or of the way to it, means: try again, wait, or give up. */
import { LullError } from '../errors.ts';

/** SQLSTATEs, see PostgreSQL's appendix A. */
const DEADLOCK = '40P01';
const SERIALIZATION = '40001';
const DISK_FULL = '53100';
const NO_DATABASE = '3D000';
/** Two that make one database at the same time. */
const EXISTS = ['42P04', '23505'];

/** Connections, resources, the operator, collisions. */
const PASSING = /^(08|53|57|40|58)/;
/** ECONNREFUSED, EAI_AGAIN, ...: but not Node's own, as of TLS. */
const SYSTEM = /^E(?!RR_)[A-Z_]+$/;
/** The driver gives no code to what it finds out itself. */
const BROKEN = /terminated|timeout|connection error/i;

/** Whether the same transaction may succeed when it is tried again at once. */
export function isConflict(error: unknown): boolean {
  return [DEADLOCK, SERIALIZATION].includes(codeOf(error));
}

/** Whether another has just made what was to be made. */
export function existsAlready(error: unknown): boolean {
  return EXISTS.includes(codeOf(error));
}

export function isDatabaseMissing(error: unknown): boolean {
  return codeOf(error) === NO_DATABASE;
}

/** Whether it passes by itself, as an absent server does and a wrong password doesn't. */
export function isPassing(error: unknown): boolean {
  const code = codeOf(error);
  return PASSING.test(code) || SYSTEM.test(code) || (code === '' && BROKEN.test(wordsOf(error)));
}

function codeOf(error: unknown): string {
  return (error as { code?: string } | null)?.code ?? '';
}

/** For whoever asked: what `apply` and the queries reject with. */
export function unavailable(cause: unknown, url: URL): LullError {
  if (cause instanceof LullError) return cause;
  if (codeOf(cause) === DISK_FULL) {
    return new LullError('disk_full', `PostgreSQL at ${url.host} has no space left`, { cause });
  }
  const message = `PostgreSQL at ${url.host}: ${wordsOf(cause)}`;
  return new LullError('history_unavailable', message, { cause });
}

/** For who starts Lull: what is not as it must be and won't change by itself. */
export function refused(cause: unknown, url: URL, what?: string): LullError {
  const message = `PostgreSQL at ${url.host}: ${what ?? wordsOf(cause)}`;
  return new LullError('history_refused', message, { cause });
}

/** Several addresses that all failed make an error without words. */
export function wordsOf(error: unknown): string {
  const { message } = error as Error;
  return message === '' ? codeOf(error) : message;
}
