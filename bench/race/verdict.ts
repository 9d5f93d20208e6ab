/** Whether what a contender wrote is what the reference says, record by record. */
import type { Outcome } from './contender.ts';
import type { ClosedSession, Reference } from './reference.ts';

export interface Verdict {
  /** Sessions of the reference that were not written. */
  readonly missing: ClosedSession[];
  /** Sessions written that are not in the reference, or once too often. */
  readonly wrong: ClosedSession[];
  /** Events dropped as late, less those of the reference. */
  readonly droppedTooMany: number;
}

export function judge(reference: Reference, { closed, dropped }: Outcome): Verdict {
  const expected = new Map<string, number>();
  for (const session of reference.closed) {
    const name = nameOf(session);
    expected.set(name, (expected.get(name) ?? 0) + 1);
  }
  const wrong: ClosedSession[] = [];
  for (const session of closed) {
    const name = nameOf(session);
    const left = expected.get(name) ?? 0;
    if (left === 0) wrong.push(session);
    else expected.set(name, left - 1);
  }
  const missing = reference.closed.filter((session) => {
    const name = nameOf(session);
    const left = expected.get(name)!;
    if (left > 0) expected.set(name, left - 1);
    return left > 0;
  });
  return { missing, wrong, droppedTooMany: dropped - reference.dropped };
}

export function told({ missing, wrong, droppedTooMany }: Verdict): string {
  if (missing.length + wrong.length === 0 && droppedTooMany === 0) return 'equal';
  return `${missing.length} missing, ${wrong.length} wrong, ${droppedTooMany} drops more`;
}

function nameOf({ userId, startMs, endMs, count }: ClosedSession): string {
  return `${userId} ${startMs} ${endMs} ${count}`;
}
