/** What every History must do: one suite for all implementations. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import {
  batches,
  closed,
  merged,
  session,
  storedForm,
  TIME_0_MS,
} from '../../test/support/history-records.ts';
import { MemoryHistory } from '../../test/support/memory-history.ts';
import type { SentRecord, SessionRecord } from '../core/output.ts';
import type { History, HistoryPosition } from './history.ts';

type Query = (text: string) => Promise<Record<string, unknown>[]>;

export interface HistoryUnderTest {
  readonly history: History;
  /** Runs SQL beside it, as a person would; null when it has none. */
  readonly query: Query | null;
  /** Empties it. */
  clear(): Promise<void>;
  /** Closes and opens it again. */
  reopen(): Promise<History>;
  dispose(): Promise<void>;
}

const MINUTE_MS = 60_000;
const ALWAYS = [0, Number.POSITIVE_INFINITY] as const;

/** hasSql: whether it can be asked in SQL, and refuses what SQL refuses. */
export function historyContract(
  name: string,
  make: () => Promise<HistoryUnderTest>,
  hasSql: boolean,
): void {
  describe(`${name}: History`, () => {
    let under: HistoryUnderTest;
    let history: History;
    const withSql = (what: string, body: (query: Query) => Promise<void>) => {
      if (hasSql) it(what, () => body(under.query!));
    };
    before(async () => {
      under = await make();
      history = under.history;
    });
    beforeEach(() => under.clear());
    after(() => under.dispose());

    it('begins empty: zeros, never NaN', async () => {
      assert.deepEqual(await history.positions(), []);
      assert.equal(await history.session('none'), null);
      assert.equal(await history.survivorOf('none'), null);
      assert.deepEqual(await history.ofUser('nobody', 10, null), { items: [], nextCursor: null });
      assert.deepEqual(await history.converted(10, null), { items: [], nextCursor: null });
      assert.deepEqual(await history.stats(...ALWAYS), {
        totalSessions: 0,
        averageDuration: 0,
        averageEventCount: 0,
        conversionCount: 0,
        conversionRate: 0,
      });
      const window = { fromMs: 0, toMs: MINUTE_MS, intervalMs: 5 * MINUTE_MS, originMs: 0 };
      assert.deepEqual(await history.series(window), []);
      assert.deepEqual(await history.durationSeries(window), []);
      assert.deepEqual(await history.revenueSeries(window), []);
      assert.deepEqual(await history.breakdown('device', ...ALWAYS, 9), { total: 0, items: [] });
      assert.deepEqual(await history.absorbedBy('none', 9), []);
      assert.equal((await history.totalsOf('nobody')).firstStart, null);
      assert.equal(await history.expire(Number.POSITIVE_INFINITY, 10), 0);
      assert.equal(await history.wrongBuckets(), 0);
    });

    it('gives back every record as it was', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(session(), { minLength: 1, maxLength: 20 }), async (records) => {
          await under.clear();
          const unique = [...new Map(records.map((one) => [one.sessionId, one])).values()];
          await history.apply(unique, []);
          for (const record of unique) {
            assert.deepEqual(await history.session(record.sessionId), storedForm(record));
          }
        }),
        { numRuns: 30 },
      );
    });

    it('stores U+0000 and lone surrogates as U+FFFD, and finds by what was given', async () => {
      const record = closed('s', 1, {
        userId: 'a\0b',
        entryPage: '/\ud800"\\u0000\\',
        eventCounts: { 'x\0': 2 },
      });
      await history.apply([record], []);
      const stored = {
        ...record,
        userId: 'a\ufffdb',
        entryPage: '/\ufffd"\\u0000\\',
        eventCounts: { 'x\ufffd': 2 },
      };
      assert.deepEqual(await history.session('s'), stored);
      assert.deepEqual((await history.ofUser('a\0b', 10, null)).items, [stored]);
      assert.equal(await history.session('\0'), null);
    });

    describe('revisions', () => {
      it('the highest revision of an id wins, in any order, in one batch or several', async () => {
        const sent = [3, 1, 4, 2].map((revision) => closed('s', revision, { searches: revision }));
        await history.apply(sent.slice(0, 2), []);
        assert.equal((await history.session('s'))?.searches, 3);
        await history.apply(sent, []);
        assert.equal((await history.session('s'))?.searches, 4);
        for (const record of sent) await history.apply([record], []);
        assert.equal((await history.session('s'))?.searches, 4);
        await history.apply([closed('s', 4, { searches: 99 })], []);
        assert.equal((await history.session('s'))?.searches, 4, 'an equal revision loses');
        assert.equal((await history.stats(...ALWAYS)).totalSessions, 1);
      });

      it('an open session has no row until it closes again', async () => {
        await history.apply([closed('s', 1)], []);
        await history.apply([closed('s', 2, { state: 'active' })], []);
        assert.equal(await history.session('s'), null);
        assert.equal(await history.survivorOf('s'), null);
        assert.equal((await history.stats(...ALWAYS)).totalSessions, 0);
        await history.apply([closed('s', 1)], []);
        await history.apply([closed('s', 2)], []);
        assert.equal(await history.session('s'), null, 'what was sent before must not come back');
        await history.apply([closed('s', 3, { state: 'amended' })], []);
        assert.equal((await history.session('s'))?.revision, 3);
        await history.apply([closed('s', 2, { state: 'active' })], []);
        assert.equal((await history.session('s'))?.revision, 3);
      });

      it('a session that is sent as open first closes later', async () => {
        await history.apply([closed('s', 1, { state: 'active' })], []);
        await history.apply([closed('s', 2), closed('s', 1)], []);
        assert.equal((await history.session('s'))?.revision, 2);
      });

      it('an absorbed id leads to the end of its chain, in whatever order it was told', async () => {
        const told = [merged('a', 'b', 2), merged('b', 'c', 4), closed('c', 5)];
        const before = [closed('a', 1), closed('b', 3)];
        for (const order of [told, [...told].reverse()]) {
          await under.clear();
          await history.apply(before, []);
          for (const record of order) await history.apply([record], []);
          for (const id of ['a', 'b', 'c']) {
            assert.equal((await history.session(id))?.sessionId, 'c');
            assert.equal(await history.survivorOf(id), id === 'c' ? null : 'c');
          }
          assert.equal((await history.stats(...ALWAYS)).totalSessions, 1);
          await history.apply(before, []);
          assert.equal((await history.stats(...ALWAYS)).totalSessions, 1, 'old rows stay out');
        }
        await history.apply([closed('c', 6, { state: 'active' })], []);
        assert.equal(await history.session('a'), null, 'its survivor is open');
        assert.equal(await history.survivorOf('a'), 'c');
      });
    });

    describe('batches', () => {
      it('keeps positions by log and partition, with or without records', async () => {
        const position = (logId: string, partition: number, nextOffset: number) => {
          return { logId, partition, nextOffset };
        };
        await history.apply([], [position('log', 0, 5), position('log', 1, 7)]);
        await history.apply([closed('s', 1)], [position('log', 0, 2 ** 40), position('new', 0, 1)]);
        const all = [position('log', 0, 2 ** 40), position('log', 1, 7), position('new', 0, 1)];
        assert.deepEqual(sorted(await history.positions()), all);
      });

      it('a position never goes back, unless it is rewound, and each log has its own', async () => {
        const at = (nextOffset: number, logId = 'log') => [{ logId, partition: 0, nextOffset }];
        await history.apply([], at(9));
        await history.apply([closed('old', 1)], at(5));
        assert.ok(await history.session('old'), 'its records count all the same');
        await history.apply([], at(2, 'new'));
        assert.deepEqual(sorted(await history.positions()), [...at(9), ...at(2, 'new')]);
        await history.rewind(at(5));
        await history.apply([], at(7));
        assert.deepEqual(sorted(await history.positions()), [...at(7), ...at(2, 'new')]);
      });

      it('the same batch again changes nothing', async () => {
        await fc.assert(
          fc.asyncProperty(batches(), async (all) => {
            await under.clear();
            const positions = [{ logId: 'log', partition: 0, nextOffset: 9 }];
            for (const batch of all) await history.apply(batch, positions);
            const first = await contentOf(history, all.flat());
            for (const batch of all) await history.apply(batch, positions);
            assert.deepEqual(await contentOf(history, all.flat()), first);
            assert.equal(await history.wrongBuckets(), 0);
          }),
          { numRuns: 15 },
        );
      });

      it('is what the highest revisions say, whatever the batches', async () => {
        await fc.assert(
          fc.asyncProperty(batches(), async (all) => {
            await under.clear();
            const model = new MemoryHistory();
            for (const batch of all) {
              await history.apply(batch, []);
              await model.apply(batch, []);
            }
            const records = all.flat();
            assert.deepEqual(await contentOf(history, records), await contentOf(model, records));
            assert.equal(await history.wrongBuckets(), 0);
          }),
          { numRuns: 40 },
        );
      });

      withSql('takes a batch whole or not at all, and goes on after a refused one', async () => {
        const broken = closed('broken', 1, { startTime: 'nonsense' });
        const position = { logId: 'log', partition: 0, nextOffset: 2 };
        await assert.rejects(history.apply([closed('whole', 1), broken], [position]), {
          code: 'history_unavailable',
        });
        assert.equal(await history.session('whole'), null);
        assert.deepEqual(await history.positions(), []);
        await history.apply([closed('whole', 1)], [position]);
        assert.equal((await history.session('whole'))?.revision, 1);
      });

      it('takes calls that are not waited for', async () => {
        const records = Array.from({ length: 50 }, (_, n) => closed(`s${n}`, 1));
        const all = records.map((record) => history.apply([record], []));
        const reads = records.map(() => history.stats(...ALWAYS));
        await Promise.all([...all, ...reads]);
        assert.equal((await history.stats(...ALWAYS)).totalSessions, 50);
      });

      it('takes a batch of thousands', async () => {
        const records = Array.from({ length: 3000 }, (_, n) => closed(`s${n}`, 1 + (n % 3)));
        await history.apply([...records, ...records.slice(0, 10)], []);
        assert.equal((await history.stats(...ALWAYS)).totalSessions, 3000);
      });
    });

    describe('pages', () => {
      // Several sessions with each time, so that ids have to break ties.
      const timed = (n: number, parts: Partial<SessionRecord> = {}) => {
        const time = new Date(TIME_0_MS + Math.floor(n / 4) * MINUTE_MS).toISOString();
        const times = { startTime: time, endTime: time, hasConversion: n % 3 !== 0 };
        return closed(`s${String(n * 7919).padStart(6, '0')}`, 1, { ...times, ...parts });
      };
      const lists = {
        ofUser: (limit: number, cursor: string | null) => history.ofUser('user', limit, cursor),
        converted: (limit: number, cursor: string | null) => history.converted(limit, cursor),
      };

      it('go through everything once, newest first, whatever their size', async () => {
        const records = Array.from({ length: 45 }, (_, n) => timed(n));
        await history.apply([...records, timed(50, { userId: 'other', hasConversion: false })], []);
        const model = new MemoryHistory();
        await model.apply(records, []);
        const wanted = {
          ofUser: (await model.ofUser('user', 100, null)).items,
          converted: (await model.converted(100, null)).items,
        };
        assert.equal(wanted.ofUser.length, 45);
        assert.equal(wanted.converted.length, 30);
        for (const list of ['ofUser', 'converted'] as const) {
          for (const limit of [1, 7, 15, 45, 100]) {
            assert.deepEqual(await throughPages(lists[list], limit), wanted[list]);
          }
        }
      });

      it('have no gap and no repeat while rows are added', async () => {
        const records = Array.from({ length: 40 }, (_, n) => timed(n, { hasConversion: true }));
        for (const list of [lists.ofUser, lists.converted]) {
          await under.clear();
          await history.apply(records, []);
          let added = 40;
          const seen = await throughPages(list, 3, async () => {
            // One above the page, one far below it.
            const late = timed(0, { sessionId: `late${added}`, hasConversion: true });
            await history.apply([timed(added++, { hasConversion: true }), late], []);
          });
          const ids = seen.map(({ sessionId }) => sessionId);
          assert.equal(new Set(ids).size, ids.length, 'no session twice');
          for (const { sessionId } of records) assert.ok(ids.includes(sessionId), sessionId);
        }
      });

      it('refuse a cursor that this list did not give', async () => {
        await history.apply([timed(1), timed(2)], []);
        const { nextCursor } = await history.ofUser('user', 1, null);
        const forged = [
          ['ofUser', 'infinity', 'x'],
          ['ofUser', '2026-01-01T00:00:00.000Z', 'a\0'],
          ['ofUser', 5, 'x'],
          ['ofUser', '2026-01-01T00:00:00.000Z'],
          { list: 'ofUser' },
          null,
        ].map((value) => Buffer.from(JSON.stringify(value)).toString('base64url'));
        for (const cursor of [
          '',
          'x',
          '%%%',
          'null',
          `x${nextCursor}`,
          'A'.repeat(9999),
          ...forged,
        ]) {
          await assert.rejects(
            history.ofUser('user', 1, cursor),
            { code: 'invalid_cursor' },
            cursor,
          );
          await assert.rejects(history.converted(1, cursor), { code: 'invalid_cursor' }, cursor);
        }
        await assert.rejects(history.converted(1, nextCursor), { code: 'invalid_cursor' });
      });
    });

    describe('stats', () => {
      it('equal a naive computation, with partial buckets at both edges', async () => {
        const model = new MemoryHistory();
        const offsets = fc.integer({ min: -5 * MINUTE_MS, max: 40 * MINUTE_MS });
        const edges = fc.constantFrom(0, 1, 2, 5, 8).map((buckets) => buckets * 5 * MINUTE_MS);
        const edge = fc.oneof(
          offsets,
          edges,
          edges.map((ms) => ms - 1),
          edges.map((ms) => ms + 1),
        );
        const records = fc.sample(session(), { seed: 5, numRuns: 300 });
        await history.apply(records, []);
        await model.apply(records, []);
        await fc.assert(
          fc.asyncProperty(edge, edge, async (from, to) => {
            const window = [TIME_0_MS + from, TIME_0_MS + to] as const;
            assert.deepEqual(await history.stats(...window), await model.stats(...window));
          }),
          { numRuns: 200 },
        );
        assert.deepEqual(await history.stats(...ALWAYS), await model.stats(...ALWAYS));
        assert.equal(await history.wrongBuckets(), 0);
      });

      withSql('a wrong bucket is found', async (query) => {
        await history.apply(fc.sample(session(), { seed: 6, numRuns: 50 }), []);
        assert.equal(await history.wrongBuckets(), 0);
        const somewhere = 'bucket = (SELECT min(bucket) FROM session_buckets)';
        await query(`UPDATE session_buckets SET events = events + 1 WHERE ${somewhere}`);
        assert.equal(await history.wrongBuckets(), 1);
        await query(`DELETE FROM session_buckets WHERE ${somewhere}`);
        assert.equal(await history.wrongBuckets(), 1);
        await query(`INSERT INTO session_buckets VALUES ('2000-01-01 00:00Z', 0, 1, 0, 0, 0)`);
        assert.equal(await history.wrongBuckets(), 2);
      });

      withSql('follow what others change in the table', async (query) => {
        await history.apply(fc.sample(session(), { seed: 7, numRuns: 50 }), []);
        const { totalSessions } = await history.stats(...ALWAYS);
        await query(`UPDATE user_sessions SET end_time = end_time + interval '7 minutes'`);
        await query('DELETE FROM user_sessions WHERE has_conversion');
        assert.equal(await history.wrongBuckets(), 0);
        const left = await history.stats(...ALWAYS);
        assert.ok(left.totalSessions < totalSessions);
        assert.equal(left.conversionCount, 0);
      });
    });

    describe('series, breakdowns and totals', () => {
      const HOUR_MS = 60 * MINUTE_MS;
      /** Over three hours, with money that is exact as a number. */
      const spread = fc
        .tuple(session(), fc.integer({ min: -HOUR_MS, max: 2 * HOUR_MS }), fc.nat(3))
        .map(([one, shiftMs, page]) => ({
          ...one,
          userId: page === 0 ? 'user' : 'other',
          endTime: new Date(TIME_0_MS + shiftMs).toISOString(),
          entryPage: ['/', '/a', '/é', null][page]!,
          exitPage: 'x'.repeat(499 + page),
          eventCounts: { PAGE_VIEW: page + 1, [`type ${page}`]: 1 },
          revenue: (page > 1 ? { EUR: page / 4, XXX: 1 } : {}) as Record<string, number>,
        }));
      const windows = [
        { fromMs: 0, toMs: 3 * HOUR_MS, intervalMs: HOUR_MS, originMs: 0 },
        { fromMs: 7 * MINUTE_MS, toMs: 2 * HOUR_MS + 1, intervalMs: 5 * MINUTE_MS, originMs: 0 },
        { fromMs: 1, toMs: HOUR_MS, intervalMs: 15 * MINUTE_MS, originMs: 5 * MINUTE_MS },
        { fromMs: 0, toMs: 3 * HOUR_MS, intervalMs: 24 * HOUR_MS, originMs: 2 * HOUR_MS },
      ].map(({ fromMs, toMs, ...rest }) => {
        const baseMs = TIME_0_MS - HOUR_MS;
        return { ...rest, fromMs: baseMs + fromMs, toMs: baseMs + toMs };
      });
      const facets = ['entryPage', 'exitPage', 'device', 'channel', 'eventType'] as const;
      let model: MemoryHistory;
      let records: SessionRecord[];
      beforeEach(async () => {
        model = new MemoryHistory();
        records = fc.sample(spread, { seed: 9, numRuns: 200 });
        // Some are amended: their first figures must have gone.
        const first = records.slice(0, 50).map((one) => ({
          ...one,
          revision: 0,
          entryPage: '/before',
          durationSeconds: 5,
          eventCounts: { BEFORE: 3 },
        }));
        for (const batch of [first, records, [merged('gone', records[0]!.sessionId, 1)]]) {
          await history.apply(batch, []);
          await model.apply(batch, []);
        }
      });

      it('equal a naive computation, whatever the window', async () => {
        for (const window of windows) {
          assert.deepEqual(await history.series(window), await model.series(window));
          assert.deepEqual(await history.revenueSeries(window), await model.revenueSeries(window));
        }
        assert.equal(await history.wrongBuckets(), 0);
      });

      it('give percentiles of duration within 2 %', async () => {
        for (const window of windows) {
          const expected = await model.durationSeries(window);
          const found = await history.durationSeries(window);
          assert.deepEqual(
            found.map(({ startMs }) => startMs),
            expected.map(({ startMs }) => startMs),
          );
          for (const [index, point] of found.entries()) {
            for (const name of ['p50Ms', 'p95Ms', 'p99Ms'] as const) {
              const exact = expected[index]![name];
              const differsMs = Math.abs(point[name] - exact);
              assert.ok(differsMs <= 1 + exact * 0.02, `${name}: ${point[name]}, not ${exact}`);
            }
          }
        }
      });

      it('count each facet, whatever the edges, the commonest first', async () => {
        const edges = [
          [0, 3 * HOUR_MS],
          [1, 2],
          [MINUTE_MS, HOUR_MS - 1],
          [HOUR_MS, HOUR_MS],
        ];
        for (const facet of facets) {
          for (const [from = 0, to = 0] of edges) {
            const window = [TIME_0_MS - HOUR_MS + from, TIME_0_MS - HOUR_MS + to] as const;
            const found = await history.breakdown(facet, ...window, 3);
            assert.deepEqual(found, await model.breakdown(facet, ...window, 3), facet);
          }
          const all = await history.breakdown(facet, ...ALWAYS, 999);
          assert.deepEqual(all, await model.breakdown(facet, ...ALWAYS, 999));
        }
      });

      it('sum up a user, and name what a session absorbed', async () => {
        for (const userId of ['user', 'other', 'nobody']) {
          assert.deepEqual(await history.totalsOf(userId), await model.totalsOf(userId));
        }
        const survivor = records[0]!.sessionId;
        await history.apply([merged('before', 'gone', 1)], []);
        assert.deepEqual(await history.absorbedBy(survivor, 9), ['gone', 'before']);
        assert.deepEqual(await history.absorbedBy(survivor, 1), ['gone']);
        assert.deepEqual(await history.absorbedBy('before', 9), []);
      });

      withSql('a wrong facet is found', async (query) => {
        assert.equal(await history.wrongBuckets(), 0);
        await query(`UPDATE session_facets SET count = count + 1 WHERE facet = 'channel'
          AND hour = (SELECT min(hour) FROM session_facets) AND value = 'search'`);
        assert.equal(await history.wrongBuckets(), 1);
      });
    });

    describe('expiry', () => {
      const ended = (n: number, parts: Partial<SessionRecord> = {}) => {
        const endTime = new Date(TIME_0_MS + n * MINUTE_MS).toISOString();
        return closed(`s${n}`, 1, { endTime, startTime: endTime, ...parts });
      };

      it('deletes what ended before, oldest first, at most as many as asked', async () => {
        await history.apply(
          [5, 3, 1, 4, 2, 0].map((n) => ended(n)),
          [],
        );
        assert.equal(await history.expire(TIME_0_MS + 4 * MINUTE_MS, 3), 3);
        assert.equal(await history.session('s2'), null);
        assert.equal((await history.session('s3'))?.sessionId, 's3');
        assert.equal(await history.expire(TIME_0_MS + 4 * MINUTE_MS, 3), 1);
        assert.equal(await history.expire(TIME_0_MS + 4 * MINUTE_MS, 3), 0);
        assert.equal((await history.stats(...ALWAYS)).totalSessions, 2, 'not what ended just then');
        assert.equal(await history.wrongBuckets(), 0);
      });

      withSql('leaves nothing behind: no lineage, no buckets', async (query) => {
        const open = ended(2, { state: 'active', revision: 2 });
        await history.apply([ended(0), ended(1), ended(2), ended(3)], []);
        await history.apply([merged('s1', 's0', 2), open, merged('s8', 's9', 1)], []);
        const beforeMs = TIME_0_MS + 60 * MINUTE_MS;
        while ((await history.expire(beforeMs, 1)) > 0);
        await history.expire(beforeMs, 10);
        assert.deepEqual(await query('SELECT * FROM session_buckets'), []);
        assert.deepEqual(await query('SELECT * FROM session_facets'), []);
        // The only one whose time isn't known goes a retention after it was told.
        const left = await query('SELECT session_id FROM session_lineage');
        assert.deepEqual(left, [{ session_id: 's8' }]);
        await history.expire(Date.now() + MINUTE_MS, 10);
        assert.deepEqual(await query('SELECT * FROM session_lineage'), []);
      });
    });

    it('keeps everything when it is closed and opened again', async () => {
      const records: SentRecord[] = fc.sample(session(), { seed: 8, numRuns: 30 });
      records.push(merged('gone', records[0]!.sessionId, 3));
      const position = { logId: 'log', partition: 3, nextOffset: 12 };
      await history.apply(records, [position]);
      const content = await contentOf(history, records);
      history = await under.reopen();
      assert.deepEqual(await contentOf(history, records), content);
      assert.deepEqual(await history.positions(), [position]);
      assert.ok((await history.sizeBytes()) > 0);
    });

    withSql('answers the SQL that people type', async (query) => {
      const parts = [{ hasConversion: true }, {}, { userId: 'other' }];
      await history.apply(
        parts.map((part, n) => closed(`s${n}`, 1, part)),
        [],
      );
      const count = await query('SELECT COUNT(*) FROM user_sessions');
      assert.equal(Number(count[0]!['count']), 3);
      const users = await query(
        `SELECT user_id, COUNT(*) as session_count
        FROM user_sessions
        GROUP BY user_id
        ORDER BY session_count DESC
        LIMIT 10;`,
      );
      assert.deepEqual(
        users.map((row) => [row['user_id'], Number(row['session_count'])]),
        [
          ['user', 2],
          ['other', 1],
        ],
      );
      const [rate] = await query(
        `SELECT
          COUNT(*) as total,
          SUM(CASE WHEN has_conversion THEN 1 ELSE 0 END) as converted,
          ROUND(100.0 * SUM(CASE WHEN has_conversion THEN 1 ELSE 0 END) / COUNT(*), 2) as conversion_rate
        FROM user_sessions;`,
      );
      assert.deepEqual(Object.values(rate!).map(Number), [3, 1, 33.33]);
    });
  });
}

/** Everything that can be asked about the ids and users of some records. */
export async function contentOf(
  history: History,
  records: readonly SentRecord[],
): Promise<unknown> {
  const content: unknown[] = [await history.stats(...ALWAYS), await history.converted(999, null)];
  for (const userId of new Set(records.map((record) => record.userId))) {
    content.push(await history.ofUser(userId, 999, null));
  }
  for (const sessionId of new Set(records.map((record) => record.sessionId))) {
    content.push(sessionId, await history.session(sessionId), await history.survivorOf(sessionId));
  }
  return content;
}

/** All items of a list, page by page; `between` happens after each page. */
async function throughPages(
  list: (limit: number, cursor: string | null) => ReturnType<History['converted']>,
  limit: number,
  between: () => Promise<void> = async () => {},
): Promise<SessionRecord[]> {
  const items: SessionRecord[] = [];
  for (let cursor: string | null = null; ; ) {
    const page: Awaited<ReturnType<typeof list>> = await list(limit, cursor);
    assert.ok(page.items.length <= limit);
    items.push(...page.items);
    cursor = page.nextCursor;
    if (cursor === null) return items;
    assert.equal(page.items.length, limit, 'only the last page is short');
    await between();
  }
}

function sorted(positions: HistoryPosition[]): HistoryPosition[] {
  const order = ({ logId, partition }: HistoryPosition) => `${logId}/${partition}`;
  return positions.sort((left, right) => (order(left) < order(right) ? -1 : 1));
}
