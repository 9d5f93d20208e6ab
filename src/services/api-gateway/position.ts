/** The opaque position of a write, and waiting until a read can see it (`Lull-After`). */
import { partitionOf } from '../../core/hash.ts';
import { LullError } from '../../errors.ts';
import type { Visibility } from '../../state/query.ts';
import type { GatewayOptions } from './options.ts';

/** Offset of the last record written, by partition, in one log. */
export interface Position {
  readonly logId: string;
  readonly offsets: ReadonlyMap<number, number>;
}

/** How long a read waits for a write to become visible. */
const MAX_WAIT_MS = 2000;
const MAX_TOKEN_CHARS = 8192;

export function encodePosition(position: Position): string {
  const offsets = [...position.offsets].map(([partition, offset]) => `${partition}:${offset}`);
  return Buffer.from(JSON.stringify([position.logId, offsets.join(',')])).toString('base64url');
}

/** Throws `invalid_parameter` for anything that is not a position of this log. */
export function decodePosition(token: string, logId: string, partitionCount: number): Position {
  const offsets = new Map<number, number>();
  const [writtenTo, list] = tokenParts(token);
  if (writtenTo !== logId) throw invalid('Lull-After is a position in another log');
  for (const pair of list === '' ? [] : list.split(',')) {
    const match = /^(\d{1,6}):(\d{1,16})$/.exec(pair);
    const partition = Number(match?.[1]);
    const offset = Number(match?.[2]);
    if (match === null || partition >= partitionCount || !Number.isSafeInteger(offset)) {
      throw malformed();
    }
    offsets.set(partition, offset);
  }
  return { logId, offsets };
}

/**
 * Resolves once the write that a caller names can be read: in one user's partition, or in all; and
 * says whether in the live cache too. Throws `position_pending` when that takes longer than 2 s.
 */
export async function waitForWrite(
  { query, events }: Pick<GatewayOptions, 'query' | 'events'>,
  token: string | undefined,
  userId: string | null,
): Promise<Visibility> {
  if (token === undefined) return 'published';
  const { offsets } = decodePosition(token, events.logId, events.partitionCount);
  const only = userId === null ? null : partitionOf(userId, events.partitionCount);
  const wanted = [...offsets].filter(([partition]) => only === null || partition === only);
  const seen = await Promise.all(
    wanted.map(async ([partition, offset]) => {
      const visibility = await query?.waitVisible(partition, offset, MAX_WAIT_MS);
      if (visibility) return visibility;
      const message = `offset ${offset} of partition ${partition} is not visible yet`;
      throw new LullError('position_pending', message);
    }),
  );
  return seen.includes('committed') ? 'committed' : 'published';
}

function tokenParts(token: string): [logId: string, offsets: string] {
  if (token.length > MAX_TOKEN_CHARS) throw malformed();
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, 'base64url').toString());
    if (Array.isArray(parts) && parts.length === 2) {
      const [logId, offsets] = parts as unknown[];
      if (typeof logId === 'string' && typeof offsets === 'string') return [logId, offsets];
    }
  } catch {
    // Not JSON: answered as any other malformed token.
  }
  throw malformed();
}

function malformed(): LullError {
  return invalid('Lull-After is not a position');
}

function invalid(message: string): LullError {
  const hint = 'take `position` as POST /api/events gave it, or leave Lull-After out';
  return new LullError('invalid_parameter', message, { hint });
}
