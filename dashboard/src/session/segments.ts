/** A session's trail as what happened and what lay between: the lulls, and what is not kept. */
import type { Session } from '../api-types.ts';

/** Shorter pauses are part of what somebody does. */
export const LULL_SECONDS = 60;

export interface Pause {
  /** hidden: the trail keeps the first and last events alone. */
  readonly kind: 'lull' | 'hidden';
  /** After which entry of the trail. */
  readonly after: number;
  readonly fromMs: number;
  readonly toMs: number;
  /** Events that are not in the trail. */
  readonly events: number;
}

export function pausesOf(session: Session): Pause[] {
  const { trail, trailTruncated, eventCount } = session;
  const cut = trailTruncated ? trail.length / 2 - 1 : -1;
  const pauses: Pause[] = [];
  for (let after = 0; after + 1 < trail.length; after++) {
    const fromMs = Date.parse(trail[after]!.time);
    const toMs = Date.parse(trail[after + 1]!.time);
    if (after === cut) {
      const events = Math.max(0, eventCount - trail.length);
      pauses.push({ kind: 'hidden', after, fromMs, toMs, events });
    } else if (toMs - fromMs >= LULL_SECONDS * 1000) {
      pauses.push({ kind: 'lull', after, fromMs, toMs, events: 0 });
    }
  }
  return pauses;
}

const STEPS_SECONDS = [
  0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600,
];

/** Round offsets from the start, at most `most` of them, the start itself among them. */
export function ticksOf(spanSeconds: number, most: number): number[] {
  const step = STEPS_SECONDS.find((one) => spanSeconds / one < most) ?? 86_400;
  const count = Math.floor(spanSeconds / step) + 1;
  return Array.from({ length: count }, (_, index) => index * step);
}
