/** Which operational error a failed file operation amounts to. */
import { LullError } from '../errors.ts';
import { errorCode } from './files.ts';

const FULL = new Set(['ENOSPC', 'EDQUOT']);
const UNWRITABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'EEXIST', 'ENOTDIR']);

/** `what` could not be done; an error that is not one of files stays as it is. */
export function explain(error: unknown, what: string): unknown {
  const code = errorCode(error);
  if (error instanceof LullError || code === undefined) return error;
  const message = `${what}: ${(error as Error).message}`;
  if (FULL.has(code)) return new LullError('disk_full', message, { cause: error });
  if (UNWRITABLE.has(code)) return new LullError('data_unwritable', message, { cause: error });
  return new LullError('log_failed', message, { cause: error });
}
