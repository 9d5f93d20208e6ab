/** The live sessions that the view knows, one of each user, and the order they are shown in. */
import type { Session } from '../api-types.ts';

/** More are not kept: those whose last event is longest ago go first. */
export const MAX_KEPT = 10_000;

export interface LiveFilters {
  readonly hasCart: boolean;
  readonly hasConverted: boolean;
  readonly minIdleSeconds: number;
  readonly minEvents: number;
  /** Empty: any. */
  readonly device: string;
}

export const NO_FILTERS: LiveFilters = {
  hasCart: false,
  hasConverted: false,
  minIdleSeconds: 0,
  minEvents: 0,
  device: '',
};

export type LiveOrder = 'newest' | 'latest' | 'idle' | 'events' | 'cart';

/** A list of all that is being read, while the stream goes on. */
interface Listing {
  /** Users known when it began, whom neither the list nor the stream has named since. */
  readonly unnamed: Set<string>;
  /** Those of whom the stream said since that they have gone: the list may be older. */
  readonly gone: Set<string>;
}

export class LiveSessions {
  readonly #byUser = new Map<string, Session>();
  #listing: Listing | null = null;

  get size(): number {
    return this.#byUser.size;
  }

  set(session: Session): void {
    const { userId } = session;
    this.#listing?.unnamed.delete(userId);
    this.#listing?.gone.delete(userId);
    // Set anew, so that the map is in the order of change.
    this.#byUser.delete(userId);
    this.#byUser.set(userId, session);
    if (this.#byUser.size <= MAX_KEPT) return;
    const [oldest] = this.#byUser.keys();
    this.#byUser.delete(oldest!);
  }

  beginList(): void {
    this.#listing = { unnamed: new Set(this.#byUser.keys()), gone: new Set() };
  }

  /** What a list says, which may be older than what the stream has said since. */
  setOlder(session: Session): void {
    this.#listing?.unnamed.delete(session.userId);
    if (this.#listing?.gone.has(session.userId)) return;
    const known = this.#byUser.get(session.userId);
    if (known !== undefined && known.endTime >= session.endTime) return;
    if (this.#byUser.size < MAX_KEPT || known !== undefined) this.set(session);
  }

  /** When it was of all, what is not in it has gone. */
  endList(isWhole: boolean): void {
    if (isWhole) for (const userId of this.#listing?.unnamed ?? []) this.#byUser.delete(userId);
    this.#listing = null;
  }

  delete(userId: string): void {
    this.#byUser.delete(userId);
    this.#listing?.gone.add(userId);
  }

  clear(): void {
    this.#byUser.clear();
    this.#listing = null;
  }

  get(userId: string): Session | undefined {
    return this.#byUser.get(userId);
  }

  all(): Session[] {
    return [...this.#byUser.values()];
  }

  shown(filters: LiveFilters, order: LiveOrder, nowMs: number): Session[] {
    const fitting = this.all().filter((session) => fits(session, filters, nowMs));
    const { value } = ORDERS[order];
    return fitting
      .map((session) => ({ session, key: value(session) }))
      .sort((left, right) => right.key - left.key || byUser(left.session, right.session))
      .map(({ session }) => session);
  }
}

/** The highest value comes first. */
export const ORDERS: Readonly<
  Record<LiveOrder, { readonly name: string; readonly value: (session: Session) => number }>
> = {
  newest: { name: 'Newest first', value: ({ startTime }) => Date.parse(startTime) },
  latest: { name: 'Latest event', value: ({ endTime }) => Date.parse(endTime) },
  idle: { name: 'Longest idle', value: ({ endTime }) => -Date.parse(endTime) },
  events: { name: 'Most events', value: ({ eventCount }) => eventCount },
  cart: { name: 'Fullest cart', value: ({ cartValue }) => largest(cartValue) },
};

export function fits(session: Session, filters: LiveFilters, nowMs: number): boolean {
  const { hasCart, hasConverted, minIdleSeconds, minEvents, device } = filters;
  if (hasCart && session.addToCarts === 0) return false;
  if (hasConverted && !session.hasConversion) return false;
  if (session.eventCount < minEvents) return false;
  if (device !== '' && session.device !== device) return false;
  return minIdleSeconds === 0 || idleSeconds(session, nowMs) >= minIdleSeconds;
}

export function idleSeconds(session: Session, nowMs: number): number {
  return Math.max(0, (nowMs - Date.parse(session.endTime)) / 1000);
}

function largest(sums: Readonly<Record<string, number>>): number {
  return Math.max(0, ...Object.values(sums));
}

function byUser(left: Session, right: Session): number {
  return left.userId < right.userId ? -1 : 1;
}
