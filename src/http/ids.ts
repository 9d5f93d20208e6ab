/** Ids in requests: bounded in UTF-8 bytes, which a schema can't say. */
import { MAX_ID_BYTES } from '../core/event.ts';
import { LullError } from '../errors.ts';

/** The id, or `invalid_parameter`. */
export function checkId(name: string, id: string): string {
  if (id.length * 3 <= MAX_ID_BYTES || Buffer.byteLength(id) <= MAX_ID_BYTES) return id;
  throw new LullError('invalid_parameter', `${name} is longer than ${MAX_ID_BYTES} bytes`);
}
