/** Sessions of events that you have in memory, in whatever order they are. */
import { sessionize } from 'lull';

const sessions = sessionize(
  [
    { userId: 'ada', eventType: 'PAGE_VIEW', timestamp: '2026-11-23T10:20:00Z', page: '/cart' },
    { userId: 'ada', eventType: 'PAGE_VIEW', timestamp: '2026-11-23T10:00:00Z', page: '/' },
    { userId: 'bob', eventType: 'PAGE_VIEW', timestamp: '2026-11-23T10:05:00Z', page: '/' },
    { userId: 'ada', eventType: 'PURCHASE', timestamp: '2026-11-23T10:21:30Z', amount: 59.9 },
    { userId: 'ada', eventType: 'PAGE_VIEW', timestamp: '2026-11-23T11:00:00Z', page: '/' },
  ],
  { gapMs: 30 * 60_000 },
);

for (const { userId, durationSeconds, eventCount, hasConversion } of sessions) {
  console.log(`${userId}: ${durationSeconds} s, ${eventCount} events, bought: ${hasConversion}`);
}

// Prints:
// ada: 1290 s, 3 events, bought: true
// bob: 0 s, 1 events, bought: false
// ada: 0 s, 1 events, bought: false
