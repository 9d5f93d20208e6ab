/** Streams for property tests: few users, small times, everything crowded around the boundaries. */
import fc from 'fast-check';
import type { SessionDefinition } from '../../src/core/definition.ts';
import { makeEvent } from '../support/make-event.ts';
import type { Placed } from './oracle-figures.ts';

/** What is done after an event, where a test cuts the stream. */
export type Cut = 'nothing' | 'sweep' | 'commit' | 'evict' | 'restart';

export interface Step {
  readonly placed: Placed;
  readonly cut: Cut;
}

export interface Stream {
  readonly definition: SessionDefinition;
  readonly steps: readonly Step[];
}

/** 2026, so that nothing hangs on a time of 0, and not at a full minute. */
export const START_MS = Date.UTC(2026, 0, 1, 0, 0, 59, 950);

export const smallDefinition: SessionDefinition = {
  gapMs: 10,
  tiersMs: [4, 15, 40],
  maxDurationMs: 0,
  maxEvents: 0,
  endTypes: [],
  maxFutureMs: 1e6,
  idleMs: 1000,
};

const bounded = fc.record({
  maxDurationMs: fc.constantFrom(0, 0, 15, 30),
  maxEvents: fc.constantFrom(0, 0, 2, 4),
  endTypes: fc.constantFrom([], ['SESSION_END']),
  tiersMs: fc.constantFrom([4], [0], [4, 15, 40], [0, 12]),
  maxFutureMs: fc.constantFrom(5, 1e6),
});

const TYPES = ['PAGE_VIEW', 'PAGE_VIEW', 'CLICK', 'ADD_TO_CART', 'PURCHASE', 'SEARCH'] as const;

/** How one event lies to those before it; small numbers, so that shrinking leads to the core. */
const rawStep = fc.record({
  user: fc.nat(1),
  /** How far time has gone on since the event before. */
  advance: fc.oneof(
    { weight: 4, arbitrary: fc.nat(6) },
    { weight: 2, arbitrary: fc.constantFrom(10, 11, 14, 15, 24, 25, 26) },
    { weight: 1, arbitrary: fc.constantFrom(50, 51, 60) },
  ),
  /** How long ago it happened; negative: a fast clock. */
  ago: fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    { weight: 4, arbitrary: fc.nat(30) },
    { weight: 1, arbitrary: fc.integer({ min: -8, max: 70 }) },
  ),
  type: fc.constantFrom(...TYPES),
  ends: fc.boolean(),
  /** The same event as so many before; 0: a new one. */
  again: fc.oneof(
    { weight: 5, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 8 }) },
  ),
  /** Without an id it can't be told again, and ties of time are broken otherwise. */
  hasId: fc.oneof(
    { weight: 5, arbitrary: fc.constant(true) },
    { weight: 1, arbitrary: fc.constant(false) },
  ),
  page: fc.constantFrom(null, '/', '/cart', '/a'),
  device: fc.constantFrom(null, 'mobile', 'desktop'),
  amount: fc.constantFrom(null, 1n, 10_000_000n),
  cut: fc.constantFrom<Cut>('nothing', 'nothing', 'nothing', 'sweep', 'commit', 'evict', 'restart'),
});

type RawStep = typeof rawStep extends fc.Arbitrary<infer Value> ? Value : never;

function toSteps(raw: readonly RawStep[], endTypes: readonly string[], timed: boolean): Step[] {
  const steps: Step[] = [];
  let nowMs = START_MS;
  for (const [offset, each] of raw.entries()) {
    nowMs += each.advance;
    const arrivalMs = timed ? nowMs : null;
    const original = steps[offset - each.again]?.placed.event;
    const event =
      each.again > 0 && original !== undefined && original.idHash > 0
        ? original
        : makeEvent({
            id: `e${offset}`,
            userId: `u${each.user}`,
            timestamp: nowMs - each.ago,
            eventType: each.ends && endTypes.length > 0 ? endTypes[0]! : each.type,
            page: each.page,
            device: each.device,
            referrer: each.page,
            amountMicros: each.amount,
            currency: each.amount === null ? null : 'EUR',
          });
    const idHash = each.hasId || event === original ? event.idHash : -event.idHash;
    steps.push({ placed: { event: { ...event, idHash }, offset, arrivalMs }, cut: each.cut });
  }
  return steps;
}

/** Everything at once: caps, ends, duplicates, lateness, fast clocks, with or without arrival. */
export const anyStream: fc.Arbitrary<Stream> = fc
  .tuple(bounded, fc.array(rawStep, { minLength: 1, maxLength: 40 }), fc.boolean())
  .map(([bounds, raw, timed]) => ({
    definition: { ...smallDefinition, ...bounds },
    steps: toSteps(raw, bounds.endTypes, timed),
  }));

/** No caps and no ends: what order can't matter for, but for lateness. */
export const plainStream: fc.Arbitrary<Stream> = fc
  .tuple(fc.array(rawStep, { minLength: 1, maxLength: 40 }), fc.boolean())
  .map(([raw, timed]) => ({ definition: smallDefinition, steps: toSteps(raw, [], timed) }));

/** Sessions of hundreds of events: so many that ids are sealed and figures folded on the way. */
export const longStream: fc.Arbitrary<Stream> = fc
  .array(rawStep, { minLength: 300, maxLength: 700, size: 'max' })
  .map((raw) => {
    const close = raw.map((each) => ({
      ...each,
      // A few lulls, most of which a late event bridges again.
      advance: each.advance === 60 && each.page === '/a' ? 60 : each.advance % 5 === 0 ? 1 : 0,
      ago: each.ago > 25 ? each.ago : Math.abs(each.ago) % 6,
      user: each.user * each.again,
      again: each.again * 40,
    }));
    const definition = { ...smallDefinition, gapMs: 40 };
    return { definition, steps: toSteps(close, [], true) };
  });
