/** Real files that come with labels or with a count that is known; skipped where they aren't. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { unless } from '../../test/support/prerequisite.ts';
import { fileOf, parsed, run } from '../../test/support/run-sessionize.ts';
import { seededRandom } from '../../test/support/seeded-random.ts';

const DATA = fileURLToPath(new URL('../../../shared/data/', import.meta.url));
const ABSENT = unless(existsSync(DATA), '../shared/data is not beside this checkout');
const SHOP = `${DATA}ecom.csv`;

/** By the file's own labels: `user first last count` of each session, in order. */
function labelled(): string[] {
  const sessions = new Map<string, { user: string; first: string; last: string; count: number }>();
  for (const row of readFileSync(SHOP, 'utf8').trimEnd().split('\n').slice(1)) {
    const [user, label, , time] = row.split(',') as [string, string, string, string];
    const session = sessions.get(label) ?? { user, first: time, last: time, count: 0 };
    if (time < session.first) session.first = time;
    if (time > session.last) session.last = time;
    session.count++;
    sessions.set(label, session);
  }
  return [...sessions.values()]
    .map(({ user, first, last, count }) => `${user} ${first} ${last} ${count}`)
    .sort();
}

function found(out: string): string[] {
  const second = (time: string) => time.slice(0, 19).replace('T', ' ');
  return parsed(out)
    .map(({ userId, startTime, endTime, eventCount }) =>
      [userId, second(startTime), second(endTime), eventCount].join(' '),
    )
    .sort();
}

test('a shop: 31,106 rows are the 3,605 sessions of their labels', { skip: ABSENT }, async () => {
  const { out, totals } = await run([SHOP]);
  assert.deepEqual(totals, { events: 31_106, sessions: 3605, rejected: 0 });
  assert.deepEqual(found(out), labelled());
});

test('the same when the rows are shuffled', { skip: ABSENT }, async () => {
  const [header, ...rows] = readFileSync(SHOP, 'utf8').trimEnd().split('\n');
  const random = seededRandom(3605);
  const keyed = rows.map((row) => [random(), row] as const);
  keyed.sort(([one], [other]) => one - other);
  const shuffled = [header, ...keyed.map(([, row]) => row)].join('\n');
  assert.equal((await run([fileOf(shuffled)])).out, (await run([SHOP])).out);
});

test('an access log by client address: 3,052 sessions', { skip: ABSENT }, async () => {
  const { out, totals } = await run([`${DATA}apache_access.log`]);
  assert.deepEqual(totals, { events: 10_000, sessions: 3052, rejected: 0 });
  const sessions = parsed(out);
  const count = sessions.reduce((sum, { eventCount }) => sum + eventCount, 0);
  assert.equal(count, 10_000);
});
