/** Users with a live session of a dozen events each, in records as the processor writes them. */
import { DEFAULT_DEFINITION } from '../src/core/definition.ts';
import { RecordWriter } from '../src/core/encoding.ts';
import { decodeEvent } from '../src/core/event.ts';
import { Partition } from '../src/core/partition.ts';
import { encodeUser } from '../src/core/record.ts';
import type { LiveUpdate } from '../src/live/live.ts';

export const EVENTS_A_SESSION = 12;

interface LiveUser extends LiveUpdate {
  readonly session: Uint8Array;
}

/** `user-0`, `user-1`, … of the log `logId`, whose sessions begin at `startMs`. */
export function liveUsers(logId: string, users: number, startMs: number): LiveUser[] {
  const identity = { logId, partition: 0 };
  const partition = new Partition({ definition: DEFAULT_DEFINITION, identity, stored: false });
  let offset = 0;
  for (let step = 0; step < EVENTS_A_SESSION; step++) {
    for (let user = 0; user < users; user++) {
      const event = {
        eventId: `event-${offset}`,
        userId: `user-${user}`,
        eventType: step % 6 === 5 ? 'ADD_TO_CART' : 'PAGE_VIEW',
        timestamp: startMs + step * 15_000 + (user % 15_000),
        page: `/products/${(user * 7 + step) % 1000}`,
        referrer: 'https://example.com/',
        device: user % 3 === 0 ? 'mobile' : 'desktop',
      };
      const decoded = decodeEvent(event, '');
      if (decoded.ok) partition.apply(decoded.event, offset++, event.timestamp);
    }
  }
  const writer = new RecordWriter();
  return [...partition.users.values()].map((user) => ({
    userId: user.id,
    session: encodeUser(writer, user).slice(),
  }));
}
