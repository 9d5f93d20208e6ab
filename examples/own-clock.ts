/** A stream under a clock of your own: what a unit test of your session rules looks like. */
import assert from 'node:assert/strict';
import { Sessionizer } from 'lull';

const MINUTE_MS = 60_000;
const start = Date.parse('2026-11-23T10:00:00Z');
const stream = new Sessionizer({ gapMs: 30 * MINUTE_MS, tiersMs: [5 * MINUTE_MS] });

function view(minute: number) {
  const timestamp = start + minute * MINUTE_MS;
  const { fate } = stream.push({ userId: 'ada', eventType: 'PAGE_VIEW', timestamp });
  console.log(`event at minute ${minute}: ${fate}`);
}

view(0);
view(34);
view(17);
assert.equal(stream.active().length, 1, 'the event between joins the two sessions');

// 30 minutes of gap and 5 of grace after the last event: closed just past minute 69, not at it.
assert.equal(stream.advance(start + 69 * MINUTE_MS).length, 0);
const [session] = stream.advance(start + 69 * MINUTE_MS + 1);
if (session?.state === 'closed') console.log(`closed: ${session.eventCount} events`);

// Prints:
// event at minute 0: opened
// event at minute 34: opened
// event at minute 17: bridged
// closed: 3 events
