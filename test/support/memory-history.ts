/** History in memory, as plain as can be: what the SQL one is compared with, and a double of it. */
import type { SentRecord, SessionRecord } from '../../src/core/output.ts';
import { decodeCursor, encodeCursor, type ListKind } from '../../src/history/cursor.ts';
import type {
  History,
  HistoryPage,
  HistoryPosition,
  SessionStats,
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
