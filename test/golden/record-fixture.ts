/**
 * Makes the fixture of stored records: `node test/golden/record-fixture.ts`, once for each version
 * of the encoding, when it is released. Older fixtures stay as they are: they must remain readable.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_DEFINITION } from '../../src/core/definition.ts';
import { describe } from '../../src/core/describe.ts';
import { decodeEvent } from '../../src/core/event.ts';
import { Loader, type Want } from '../../src/core/loader.ts';
import type { SessionRecord } from '../../src/core/output.ts';
import { Partition } from '../../src/core/partition.ts';

export const FIXTURES = join(import.meta.dirname, 'records');
export const IDENTITY = { logId: 'fixture', partition: 3 };

/** What the store held of one user, in hex, and what it means. */
export interface RecordFixture {
  readonly userId: string;
  /** Key and value. */
  readonly writes: readonly (readonly [string, string])[];
  readonly sessions: readonly SessionRecord[];
}

const USER = 'ada-ö';
const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2026, 0, 1);

/** A closed session with money and a campaign, and a live one of more events than wait unfolded. */
function makeFixture(): RecordFixture {
  const partition = new Partition({
    definition: DEFAULT_DEFINITION,
    identity: IDENTITY,
    stored: true,
  });
  const loader = new Loader(partition);
  let offset = 0;
  const push = (minute: number, fields: Record<string, unknown>) => {
    const timestamp = START_MS + minute * MINUTE_MS;
    const input = { eventId: `e-${offset}`, userId: USER, timestamp, ...fields };
    const decoded = decodeEvent(input, '');
    if (!decoded.ok) throw new Error(decoded.rejection.message);
    const wants: Want[] = [];
    loader.want(USER, timestamp, wants);
    loader.install(
      wants,
      wants.map(() => null),
    );
    partition.apply(decoded.event, offset++, timestamp + 250);
  };
  const utm = { source: 'newsletter', medium: 'email', campaign: 'spring' };
  push(0, { eventType: 'PAGE_VIEW', page: '/', device: 'mobile', utm });
  push(1, { eventType: 'ADD_TO_CART', page: '/cart', amount: 1e14, currency: 'EUR' });
  push(2, { eventType: 'PURCHASE', page: '/thanks', amount: 59.9, currency: 'EUR' });
  for (let index = 0; index < 300; index++) {
    push(60 + index / 20, { eventType: `TYPE_${index % 70}`, page: `/p/${index % 90}` });
  }
  push(74, { eventType: 'PAGE_VIEW', page: '/p/1', referrer: 'https://example.org/', amount: -1 });
  partition.sweep(partition.clock, 10);
  const { writes } = loader.freeze(partition.clock);
  const sessions = partition.users.get(USER)!.sessions;
  return {
    userId: USER,
    writes: writes.map(({ key, value }) => [hex(key), hex(value!)] as const),
    sessions: [...sessions].map((session) =>
      describe(IDENTITY, DEFAULT_DEFINITION, USER, session, 'active', null),
    ),
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

if (import.meta.main) {
  mkdirSync(FIXTURES, { recursive: true });
  writeFileSync(join(FIXTURES, 'v2.json'), `${JSON.stringify(makeFixture(), null, 1)}\n`);
}
