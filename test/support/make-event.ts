/** Events for tests: what a test does not care about has one plain value. */
import type { Event } from '../../src/core/event.ts';
import { hash53 } from '../../src/core/hash.ts';

export interface EventParts extends Partial<Omit<Event, 'idHash'>> {
  readonly id: string;
  readonly userId: string;
  readonly timestamp: number;
}

export function makeEvent({ id, ...parts }: EventParts): Event {
  return {
    idHash: hash53(id),
    eventType: 'PAGE_VIEW',
    page: null,
    referrer: null,
    device: null,
    utmSource: null,
    utmMedium: null,
    utmCampaign: null,
    amountMicros: null,
    currency: null,
    ...parts,
  };
}
