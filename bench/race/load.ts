/**
 * The race's events: shoppers in no hurry, 5 % out of order, 0.5 % far too late, the same ones for
 * the same seed and start. Each knows its partition by Kafka's default partitioner.
 */
import { isoTime } from '../../src/core/describe.ts';
import { partitionOf } from '../../src/core/hash.ts';
import { seededRandom } from '../../test/support/seeded-random.ts';

export interface LoadOptions {
  readonly events: number;
  readonly users: number;
  readonly partitions: number;
  readonly seed: number;
  /** Time of the first event, epoch milliseconds. */
  readonly startMs: number;
}

export interface LoadEvent {
  readonly userId: string;
  readonly partition: number;
  readonly timeMs: number;
  /** What the producer sends as the record's value: some 230 bytes of JSON. */
  readonly json: string;
}

/** From one event to the next, for a user to have one in fourteen minutes on average. */
const STEP_MS_OF_A_USER = 840_000;
const OUT_OF_ORDER = 0.05;
const OUT_OF_ORDER_MS = 240_000;
const TOO_LATE = 0.005;
/** An hour or more; late all the same only if its user has no live session that it touches. */
const TOO_LATE_MS = 3_600_000;

const TYPES = ['PAGE_VIEW', 'PAGE_VIEW', 'PAGE_VIEW', 'CLICK', 'SEARCH', 'ADD_TO_CART', 'PURCHASE'];

/** How much event time lies between the first event and the last. */
export function spanMs({ events, users }: LoadOptions): number {
  return (events * STEP_MS_OF_A_USER) / users;
}

export function* makeLoad(options: LoadOptions): Generator<LoadEvent> {
  const random = seededRandom(options.seed);
  const stepMs = STEP_MS_OF_A_USER / options.users;
  const userIds = Array.from({ length: options.users }, (_, index) => `user-${index}`);
  const partitions = userIds.map((userId) => partitionOf(userId, options.partitions));
  for (let index = 0; index < options.events; index++) {
    // Some come far more often than others: half of all events are from a quarter of the users.
    const user = Math.floor(random() ** 2 * options.users);
    const fate = random();
    const earlierMs =
      fate < TOO_LATE
        ? TOO_LATE_MS * (1 + 3 * random())
        : fate < TOO_LATE + OUT_OF_ORDER
          ? OUT_OF_ORDER_MS * random()
          : 0;
    const timeMs = Math.max(
      options.startMs,
      Math.floor(options.startMs + index * stepMs - earlierMs),
    );
    const type = TYPES[Math.floor(random() * TYPES.length)]!;
    yield {
      userId: userIds[user]!,
      partition: partitions[user]!,
      timeMs,
      json: jsonOf(index, userIds[user]!, type, timeMs, Math.floor(random() * 500)),
    };
  }
}

function jsonOf(index: number, userId: string, type: string, timeMs: number, page: number): string {
  const sale = type === 'PURCHASE' || type === 'ADD_TO_CART';
  const more = sale ? `,"amount":${page}.9,"currency":"EUR"` : ',"referrer":"https://example.com"';
  return (
    `{"eventId":"${index.toString(16).padStart(16, '0')}","userId":"${userId}",` +
    `"eventType":"${type}","timestamp":"${isoTime(timeMs)}","page":"/products/${page}",` +
    `"device":"mobile","productId":"p${page}","category":"shoes"${more}}`
  );
}
