/** History in memory, as plain as can be: what the SQL one is compared with, and a double of it. */
import type { SentRecord, SessionRecord } from '../../src/core/output.ts';
import { decodeCursor, encodeCursor, type ListKind } from '../../src/history/cursor.ts';
import type {
  Breakdown,
  DurationPoint,
  Facet,
  History,
  HistoryPage,
  HistoryPosition,
  RevenuePoint,
  SeriesPoint,
  SeriesWindow,
  SessionStats,
  UserTotals,
} from '../../src/history/history.ts';
import { storedForm } from './history-records.ts';

export class MemoryHistory implements History {
  /** The newest record of each id, whatever its state. */
  readonly #newest = new Map<string, SentRecord>();
  readonly #positions = new Map<string, HistoryPosition>();

  async positions(): Promise<HistoryPosition[]> {
    return [...this.#positions.values()];
  }

  async apply(
    records: readonly SentRecord[],
    positions: readonly HistoryPosition[],
  ): Promise<void> {
    for (const record of storedForm(records)) {
      const known = this.#newest.get(record.sessionId);
      if (known === undefined || known.revision < record.revision) {
        this.#newest.set(record.sessionId, record);
      }
    }
    await this.rewind(
      positions.filter((position) => {
        const known = this.#positions.get(keyOf(position));
        return known === undefined || known.nextOffset < position.nextOffset;
      }),
    );
  }

  async rewind(positions: readonly HistoryPosition[]): Promise<void> {
    for (const position of positions) this.#positions.set(keyOf(position), position);
  }

  async session(sessionId: string): Promise<SessionRecord | null> {
    const record = this.#newest.get((await this.survivorOf(sessionId)) ?? sessionId);
    return record !== undefined && isClosed(record) ? record : null;
  }

  async survivorOf(sessionId: string): Promise<string | null> {
    const record = this.#newest.get(storedForm(sessionId));
    if (record?.state !== 'merged') return null;
    return (await this.survivorOf(record.mergedInto)) ?? record.mergedInto;
  }

  async ofUser(userId: string, limit: number, cursor: string | null): Promise<HistoryPage> {
    const own = this.closed().filter((session) => session.userId === storedForm(userId));
    return page(own, limit, 'ofUser', cursor);
  }

  async converted(limit: number, cursor: string | null): Promise<HistoryPage> {
    const own = this.closed().filter(({ hasConversion }) => hasConversion);
    return page(own, limit, 'converted', cursor);
  }

  async stats(fromMs: number, toMs: number): Promise<SessionStats> {
    const ended = this.closed().filter(({ endTime }) => {
      return Date.parse(endTime) >= fromMs && Date.parse(endTime) < toMs;
    });
    const total = (figure: (session: SessionRecord) => number) =>
      ended.reduce((sum, session) => sum + figure(session), 0);
    const average = (sum: number) => (ended.length === 0 ? 0 : sum / ended.length);
    const conversionCount = total(({ hasConversion }) => Number(hasConversion));
    return {
      totalSessions: ended.length,
      averageDuration: average(total((session) => Math.round(session.durationSeconds * 1e3)) / 1e3),
      averageEventCount: average(total(({ eventCount }) => eventCount)),
      conversionCount,
      conversionRate: average(conversionCount),
    };
  }

  async series(window: SeriesWindow): Promise<SeriesPoint[]> {
    return intervals(this.closed(), window, 5).map(([startMs, sessions]) => ({
      startMs,
      sessions: sessions.length,
      events: sum(sessions, ({ eventCount }) => eventCount),
      conversions: sum(sessions, ({ hasConversion }) => Number(hasConversion)),
      durationMs: sum(sessions, ({ durationSeconds }) => Math.round(durationSeconds * 1000)),
    }));
  }

  async revenueSeries(window: SeriesWindow): Promise<RevenuePoint[]> {
    return intervals(this.closed(), window, 5)
      .map(([startMs, sessions]) => ({ startMs, revenue: revenueOf(sessions) }))
      .filter(({ revenue }) => Object.keys(revenue).length > 0);
  }

  async durationSeries(window: SeriesWindow): Promise<DurationPoint[]> {
    const grain = window.intervalMs % 3_600_000 === 0 ? 60 : 5;
    return intervals(this.closed(), window, grain).map(([startMs, sessions]) => {
      const sorted = sessions.map((one) => one.durationSeconds * 1000).sort((a, b) => a - b);
      const rank = (share: number) => sorted[Math.ceil(share * sorted.length) - 1]!;
      return { startMs, p50Ms: rank(0.5), p95Ms: rank(0.95), p99Ms: rank(0.99) };
    });
  }

  async breakdown(facet: Facet, fromMs: number, toMs: number, limit: number): Promise<Breakdown> {
    const counted = new Map<string | null, { count: number; converted: number }>();
    for (const session of this.closed()) {
      const endMs = Date.parse(session.endTime);
      if (endMs < fromMs || endMs >= toMs) continue;
      for (const [value, count] of facetOf(session, facet)) {
        const known = counted.get(value) ?? { count: 0, converted: 0 };
        known.count += count;
        if (session.hasConversion) known.converted += count;
        counted.set(value, known);
      }
    }
    const items = [...counted]
      .map(([value, counts]) => ({ value, ...counts }))
      .filter(({ count }) => count !== 0)
      .sort((a, b) => b.count - a.count || byteOrder(a.value, b.value));
    return { total: sum(items, ({ count }) => count), items: items.slice(0, limit) };
  }

  async absorbedBy(sessionId: string, limit: number): Promise<string[]> {
    const found: string[] = [];
    for (let into = [storedForm(sessionId)]; into.length > 0; ) {
      const merged = [...this.#newest.values()].filter((one) => one.state === 'merged');
      const ids = merged.filter(({ mergedInto }) => into.includes(mergedInto));
      into = ids.map((one) => one.sessionId).sort();
      found.push(...into);
    }
    return found.slice(0, limit);
  }

  async totalsOf(userId: string): Promise<UserTotals> {
    const own = this.closed().filter((session) => session.userId === storedForm(userId));
    return {
      sessions: own.length,
      events: sum(own, ({ eventCount }) => eventCount),
      durationMs: sum(own, ({ durationSeconds }) => Math.round(durationSeconds * 1000)),
      conversions: sum(own, ({ hasConversion }) => Number(hasConversion)),
      revenue: revenueOf(own),
      firstStart: own.map(({ startTime }) => startTime).sort()[0] ?? null,
      lastEnd:
        own
          .map(({ endTime }) => endTime)
          .sort()
          .at(-1) ?? null,
    };
  }

  async wrongBuckets(): Promise<number> {
    return 0;
  }

  async expire(beforeMs: number, limit: number): Promise<number> {
    const old = this.closed()
      .filter(({ endTime }) => Date.parse(endTime) < beforeMs)
      .sort((left, right) => compare(left.endTime, right.endTime))
      .slice(0, limit);
    for (const { sessionId } of old) this.#newest.delete(sessionId);
    return old.length;
  }

  async sizeBytes(): Promise<number> {
    return this.#newest.size;
  }

  async close(): Promise<void> {}

  clear(): void {
    this.#newest.clear();
    this.#positions.clear();
  }

  /** As the SQL one stores them. */
  closed(): SessionRecord[] {
    return [...this.#newest.values()].filter(isClosed);
  }
}

function keyOf({ logId, partition }: HistoryPosition): string {
  return JSON.stringify([logId, partition]);
}

/** Sessions by the interval that they ended in, oldest first, within the widened window. */
function intervals(
  sessions: readonly SessionRecord[],
  { fromMs, toMs, intervalMs, originMs }: SeriesWindow,
  grainMinutes: number,
): [startMs: number, sessions: SessionRecord[]][] {
  const grainMs = grainMinutes * 60_000;
  const startOf = (timeMs: number) =>
    Math.floor((timeMs - originMs) / intervalMs) * intervalMs + originMs;
  const firstMs = Math.floor(startOf(fromMs) / grainMs) * grainMs;
  const endMs = Math.ceil(toMs / grainMs) * grainMs;
  const found = new Map<number, SessionRecord[]>();
  for (const session of sessions) {
    const timeMs = Date.parse(session.endTime);
    if (timeMs < firstMs || timeMs >= endMs) continue;
    const startMs = startOf(Math.floor(timeMs / grainMs) * grainMs);
    found.set(startMs, [...(found.get(startMs) ?? []), session]);
  }
  return [...found].sort(([left], [right]) => left - right);
}

function facetOf(session: SessionRecord, facet: Facet): [value: string | null, count: number][] {
  const cut = (text: string) => Array.from(text).slice(0, 500).join('');
  if (facet === 'eventType') {
    return Object.entries(session.eventCounts).map(([type, count]) => [cut(type), count]);
  }
  const value = session[facet];
  return [[value === null ? null : cut(value), 1]];
}

/** In micros, as the core counts; currencies that sum up to nothing are left out. */
function revenueOf(sessions: readonly SessionRecord[]): Record<string, number> {
  const micros = new Map<string, bigint>();
  for (const { revenue } of sessions) {
    for (const [currency, amount] of Object.entries(revenue)) {
      micros.set(currency, (micros.get(currency) ?? 0n) + BigInt(Math.round(amount * 1e6)));
    }
  }
  const left = [...micros].filter(([, sum]) => sum !== 0n);
  return Object.fromEntries(left.map(([currency, sum]) => [currency, Number(sum) / 1e6]));
}

function sum<Item>(items: readonly Item[], figure: (item: Item) => number): number {
  return items.reduce((total, item) => total + figure(item), 0);
}

/** As a database without a language orders; what is null comes last. */
function byteOrder(left: string | null, right: string | null): number {
  if (left === null || right === null) return Number(left === null) - Number(right === null);
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

function isClosed(record: SentRecord): record is SessionRecord {
  return record.state === 'closed' || record.state === 'amended';
}

function page(
  sessions: SessionRecord[],
  limit: number,
  list: ListKind,
  cursor: string | null,
): HistoryPage {
  const timeOf = list === 'ofUser' ? 'startTime' : 'endTime';
  const end = decodeCursor(list, cursor);
  const after = sessions
    .filter((session) => below(session[timeOf], session.sessionId, end.time, end.sessionId))
    .sort((left, right) =>
      below(left[timeOf], left.sessionId, right[timeOf], right.sessionId) ? 1 : -1,
    );
  const items = after.slice(0, limit);
  const last = items.at(-1);
  if (after.length <= limit || last === undefined) return { items, nextCursor: null };
  return {
    items,
    nextCursor: encodeCursor(list, { time: last[timeOf], sessionId: last.sessionId }),
  };
}

/** Orders by time, then id. ISO times of four-digit years order as texts; so does `infinity`. */
function below(time: string, id: string, otherTime: string, otherId: string): boolean {
  return (compare(time, otherTime) || compare(id, otherId)) < 0;
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
