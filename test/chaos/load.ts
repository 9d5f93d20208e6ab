/**
 * Events of many users through the gateway while things break: what was acknowledged is remembered,
 * what was not is sent again until it is.
 */
import { setTimeout as sleep } from 'node:timers/promises';

const USERS = 300;
const BATCH_EVENTS = 20;
/** Some come late enough to merge, amend, or be refused; some come twice. */
const LATE_SHARE = 0.03;
const LATE_MS = 30_000;
const DISORDER_MS = 1500;
const AGAIN_SHARE = 0.02;
const RETRY_MS = 200;
const ANSWER_MS = 10_000;

const TYPES = ['PAGE_VIEW', 'PAGE_VIEW', 'CLICK', 'SEARCH', 'ADD_TO_CART', 'PURCHASE'];

interface LoadEvent {
  readonly eventId: string;
  readonly userId: string;
  readonly eventType: string;
  readonly timestamp: number;
  readonly page: string;
  readonly amount?: number;
  readonly currency?: string;
}

export class Load {
  /** Ids of acknowledged events. */
  readonly acknowledged = new Set<string>();
  /** Requests that were not answered with 202. */
  failures = 0;
  readonly #urls: () => readonly string[];
  readonly #random: () => number;
  readonly #pauseMs: number;
  #recent: LoadEvent[] = [];
  #count = 0;
  #stopped = false;
  #running: Promise<void> | null = null;

  /** urls: gateways that can be asked now; each batch goes to one of them. */
  constructor(urls: () => readonly string[], random: () => number, eventsPerSecond: number) {
    this.#urls = urls;
    this.#random = random;
    this.#pauseMs = (BATCH_EVENTS / eventsPerSecond) * 1000;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Resolves once the batch under way is acknowledged. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** One event for each of these users, now. */
  async sendOne(userIds: readonly string[]): Promise<void> {
    await this.#deliver(userIds.map((userId) => this.#event(userId, Date.now())));
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const batch = Array.from({ length: BATCH_EVENTS }, () => this.#next());
      this.#recent = batch;
      const [, answered] = await Promise.all([sleep(this.#pauseMs), this.#deliver(batch)]);
      void answered;
    }
  }

  #next(): LoadEvent {
    const random = this.#random;
    const [again] = this.#recent;
    if (again !== undefined && random() < AGAIN_SHARE) return again;
    const behindMs = random() * (random() < LATE_SHARE ? LATE_MS : DISORDER_MS);
    return this.#event(`user-${Math.floor(random() * USERS)}`, Date.now() - Math.floor(behindMs));
  }

  #event(userId: string, timestamp: number): LoadEvent {
    const number = this.#count++;
    const eventType = TYPES[number % TYPES.length]!;
    const event = {
      ...{ eventId: `load-${number}`, userId, eventType, timestamp },
      page: `/page-${number % 17}`,
    };
    return eventType === 'PURCHASE' ? { ...event, amount: 9.95, currency: 'EUR' } : event;
  }

  async #deliver(events: readonly LoadEvent[]): Promise<void> {
    for (;;) {
      const urls = this.#urls();
      const url = urls[Math.floor(this.#random() * urls.length)];
      if (url !== undefined && (await this.#post(url, events))) break;
      this.failures++;
      await sleep(RETRY_MS);
    }
    for (const { eventId } of events) this.acknowledged.add(eventId);
  }

  async #post(url: string, events: readonly LoadEvent[]): Promise<boolean> {
    try {
      const answer = await fetch(`${url}/api/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(events),
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      const { accepted } = (await answer.json()) as { accepted?: number };
      return answer.status === 202 && accepted === events.length;
    } catch {
      return false;
    }
  }
}
