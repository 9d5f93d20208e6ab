/** The shoppers: repeatable, at the asked-for rate, and with figures like a shop's. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeEvent } from '../../core/event.ts';
import { DEFAULT_LOAD, type Load, loadOf } from './load.ts';
import { takeBefore } from './real-time.ts';
import { CSV_HEADER, eventCsv, eventJson, type ShopEvent } from './shop-event.ts';
import { type SentEvent, Shoppers } from './shoppers.ts';

const START_MS = Date.UTC(2026, 0, 1);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const GAP_MS = 30 * MINUTE_MS;

function sentWithin(durationMs: number, load: Load = DEFAULT_LOAD, seed = 1): SentEvent[] {
  return takeBefore(new Shoppers(seed, START_MS, load), START_MS + durationMs, Infinity);
}

function lines(sent: readonly SentEvent[]): string[] {
  return sent.map(({ sentMs, event }) => `${sentMs} ${eventJson(event)}`);
}

interface NaiveSession {
  readonly events: ShopEvent[];
  readonly seconds: number;
  /** Since the user's session before; Infinity for the first. */
  readonly lullMs: number;
}

/** Sorts and splits at every gap: what a session is, said without the core. */
function naiveSessions(sent: readonly SentEvent[]): Map<string, NaiveSession[]> {
  const byUser = new Map<string, Map<string, ShopEvent>>();
  for (const { event } of sent) {
    const events = byUser.get(event.userId) ?? new Map<string, ShopEvent>();
    byUser.set(event.userId, events.set(event.eventId, event));
  }
  const sessions = new Map<string, NaiveSession[]>();
  for (const [userId, unsorted] of byUser) {
    const events = [...unsorted.values()].sort((a, b) => a.timestamp - b.timestamp);
    const starts = events.flatMap((event, at) =>
      at === 0 || event.timestamp - events[at - 1]!.timestamp > GAP_MS ? [at] : [],
    );
    sessions.set(
      userId,
      starts.map((from, index) => {
        const own = events.slice(from, starts[index + 1]);
        return {
          events: own,
          seconds: (own.at(-1)!.timestamp - own[0]!.timestamp) / 1000,
          lullMs: from === 0 ? Infinity : own[0]!.timestamp - events[from - 1]!.timestamp,
        };
      }),
    );
  }
  return sessions;
}

function assertBetween(value: number, low: number, high: number, what: string): void {
  assert.ok(value >= low && value <= high, `${what}: ${value} is not within ${low} and ${high}`);
}

describe('repeatable', () => {
  test('the first thousand events of a seed are always the same', () => {
    const first = takeBefore(new Shoppers(1, START_MS, DEFAULT_LOAD), Infinity, 1000);
    const hash = createHash('sha256').update(lines(first).join('\n')).digest('hex');
    assert.equal(hash, 'c7529b21c6f57a56995ef26588ec6665d237b96064d2a8f5ed3c02a2e535b235');
  });

  test('it does not matter in which pieces they are taken', () => {
    const durationMs = 20 * MINUTE_MS;
    const whole = lines(sentWithin(durationMs));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: durationMs })), (cuts) => {
        const shoppers = new Shoppers(1, START_MS, DEFAULT_LOAD);
        const pieces = [...cuts.sort((a, b) => a - b), durationMs].flatMap((cut) =>
          takeBefore(shoppers, START_MS + cut, Infinity),
        );
        assert.deepEqual(lines(pieces), whole);
      }),
      { numRuns: 20 },
    );
  });

  test('another seed or start gives other events, and never the same id', () => {
    const ids = new Set<string>();
    let count = 0;
    for (const [seed, startMs] of [
      [1, START_MS],
      [2, START_MS],
      [1, START_MS + 1],
    ] as const) {
      const sent = takeBefore(new Shoppers(seed, startMs, DEFAULT_LOAD), Infinity, 1000);
      const own = new Set(sent.map(({ event }) => event.eventId));
      count += own.size;
      for (const id of own) ids.add(id);
    }
    assert.equal(ids.size, count);
  });
});

describe('a day of fifty shoppers', () => {
  const sent = sentWithin(24 * HOUR_MS);
  const byUser = naiveSessions(sent);
  const sessions = [...byUser.values()].flat();
  const share = (test: (session: NaiveSession) => boolean) =>
    sessions.filter(test).length / sessions.length;
  const mean = (figure: (session: NaiveSession) => number) =>
    sessions.reduce((sum, session) => sum + figure(session), 0) / sessions.length;

  test('about four events a second, within 1 % of the rate', () => {
    const rate = sent.length / (24 * 3600);
    assertBetween(rate / DEFAULT_LOAD.eventsPerSecond, 0.99, 1.01, 'rate');
  });

  test('sessions of about three minutes and a dozen events', () => {
    assertBetween(
      mean(({ seconds }) => seconds),
      155,
      195,
      'mean duration',
    );
    assertBetween(
      mean(({ events }) => events.length),
      11,
      14,
      'mean count',
    );
    const durations = sessions.map(({ seconds }) => seconds).sort((a, b) => a - b);
    assertBetween(durations[durations.length >> 1]!, 120, 200, 'median duration');
    assert.ok(durations.at(-1)! < 3600, `longest: ${durations.at(-1)}`);
  });

  test('4 to 10 % convert, and what they pay is what they put in the cart', () => {
    const converted = sessions.filter(({ events }) => has(events, 'PURCHASE'));
    assertBetween(converted.length / sessions.length, 0.04, 0.1, 'conversion');
    // What was sent late in the day may still be on its way.
    const arrivedMs = START_MS + 23 * HOUR_MS;
    const whole = converted.filter(({ events }) => events.at(-1)!.timestamp < arrivedMs);
    assert.ok(whole.length > 1000);
    for (const { events } of whole) {
      const total = (type: string) =>
        events.filter((e) => e.eventType === type).reduce((sum, e) => sum + e.amountCents!, 0);
      assert.equal(total('PURCHASE'), total('ADD_TO_CART'));
    }
  });

  test('a share bounces, and more fill a cart than buy', () => {
    assertBetween(
      share(({ events }) => events.length === 1),
      0.12,
      0.28,
      'bounces',
    );
    const carts = share(({ events }) => has(events, 'ADD_TO_CART'));
    const buyers = share(({ events }) => has(events, 'PURCHASE'));
    assertBetween(carts / buyers, 1.5, 4, 'carts per purchase');
  });

  test('a mix of event types like a shop', () => {
    const types = new Map<string, number>();
    for (const { event } of sent) {
      types.set(event.eventType, (types.get(event.eventType) ?? 0) + 1);
    }
    const parts = Object.fromEntries([...types].map(([type, n]) => [type, n / sent.length]));
    assert.deepEqual(Object.keys(parts).sort(), [
      'ADD_TO_CART',
      'CLICK',
      'PAGE_VIEW',
      'PURCHASE',
      'SEARCH',
    ]);
    assertBetween(parts['PAGE_VIEW']!, 0.5, 0.7, 'page views');
    assertBetween(parts['CLICK']!, 0.15, 0.3, 'clicks');
    assertBetween(parts['SEARCH']!, 0.08, 0.16, 'searches');
    assertBetween(parts['ADD_TO_CART']!, 0.015, 0.05, 'cart additions');
    assertBetween(parts['PURCHASE']!, 0.003, 0.01, 'purchases');
  });

  test('users come back, always with the same device', () => {
    assert.ok(byUser.size <= 1 + 50 * 100, `${byUser.size} users`);
    assertBetween(sessions.length / byUser.size, 3, 8, 'sessions a user');
    for (const own of byUser.values()) {
      const devices = new Set(own.flatMap(({ events }) => events.map((event) => event.device)));
      assert.equal(devices.size, 1);
    }
  });

  test('user-1 comes back 31 to 34 minutes after its last event', () => {
    const own = byUser.get('user-1')!;
    assertBetween(own.length, 38, 43, 'visits in a day');
    for (const { lullMs, seconds } of own.slice(0, -1)) {
      assert.ok(seconds > 60 && seconds < 360, `${seconds} s`);
      if (lullMs !== Infinity)
        assertBetween(lullMs, 31 * MINUTE_MS - 1, 34 * MINUTE_MS + 1, 'lull');
    }
    // Nothing of it is held up: between two events of it there is always a live session.
    const late = sent.filter(
      ({ sentMs, event }) => event.userId === 'user-1' && sentMs !== event.timestamp,
    );
    assert.deepEqual(late, []);
  });

  test('sent in order; some late, some twice, none later than an hour', () => {
    let beforeMs = 0;
    let heldUp = 0;
    let veryLate = 0;
    const seen = new Map<string, string>();
    for (const { sentMs, event } of sent) {
      assert.ok(sentMs >= beforeMs);
      beforeMs = sentMs;
      const json = eventJson(event);
      assert.equal(seen.get(event.eventId) ?? json, json);
      seen.set(event.eventId, json);
      const delayMs = sentMs - event.timestamp;
      assertBetween(delayMs, 0, 61 * MINUTE_MS, 'delay');
      if (delayMs > 0) heldUp++;
      if (delayMs > 35 * MINUTE_MS) veryLate++;
    }
    assertBetween(1 - seen.size / sent.length, 0.005, 0.015, 'duplicates');
    assertBetween(heldUp / sent.length, 0.02, 0.05, 'held up');
    assertBetween(veryLate / sent.length, 0.0001, 0.001, 'late for the first tier');
  });
});

function has(events: readonly ShopEvent[], type: string): boolean {
  return events.some(({ eventType }) => eventType === type);
}

describe('rate', () => {
  for (const request of [
    { rate: 500 },
    { users: 50, rate: 500 },
    { users: 5, rate: 500 },
    { users: 2000, rate: 500 },
  ]) {
    test(`${JSON.stringify(request)}: each half minute within 5 %`, () => {
      const windows = counts(sentWithin(4 * MINUTE_MS, loadOf(request)), START_MS, 30);
      for (const rate of windows) assertBetween(rate, 475, 525, 'events a second');
    });
  }

  test('a change of load is felt at once', () => {
    const shoppers = new Shoppers(1, START_MS, DEFAULT_LOAD);
    let nowMs = START_MS;
    for (const request of [
      {},
      { rate: 500 },
      { rate: 100 },
      { users: 50, rate: 400 },
      { users: 60, rate: 60 },
    ]) {
      const load = loadOf(request);
      shoppers.setLoad(load, nowMs);
      const sent = takeBefore(shoppers, nowMs + 2 * MINUTE_MS, Infinity);
      const rate = sent.length / 120;
      const noise = 3 / Math.sqrt(load.eventsPerSecond * 120);
      assertBetween(rate / load.eventsPerSecond, 0.95 - noise, 1.05 + noise, `${load.shoppers}`);
      nowMs += 2 * MINUTE_MS;
    }
  });
});

/** Events a second in each window of so many seconds. */
function counts(sent: readonly SentEvent[], startMs: number, seconds: number): number[] {
  const windows: number[] = [];
  for (const { sentMs } of sent) {
    const at = Math.floor((sentMs - startMs) / (seconds * 1000));
    windows[at] = (windows[at] ?? 0) + 1 / seconds;
  }
  return windows;
}

describe('as text', () => {
  const sent = sentWithin(HOUR_MS, loadOf({ rate: 20 }));

  test('JSON is what JSON.stringify would write, and the core takes it', () => {
    for (const { event } of sent) {
      const json = eventJson(event);
      const value = JSON.parse(json);
      const { amountCents, element, timestamp, ...rest } = event;
      const wanted = {
        ...rest,
        timestamp: new Date(timestamp).toISOString(),
        amount: amountCents === null ? null : amountCents / 100,
        properties: element === null ? null : { element },
      };
      const given = Object.entries(wanted).filter(([, field]) => field !== null);
      assert.deepEqual(value, Object.fromEntries(given));
      if (amountCents !== null) assert.match(json, /"amount":\d+\.\d\d[,}]/);
      assert.deepEqual(Object(decodeEvent(value, '')).rejection, undefined);
    }
  });

  test('a CSV row has as many fields as the header, and none needs quotes', () => {
    const width = CSV_HEADER.split(',').length;
    for (const { event } of sent) {
      const row = eventCsv(event);
      assert.equal(row.split(',').length, width);
      assert.doesNotMatch(row, /["\n\r]/);
    }
  });
});
