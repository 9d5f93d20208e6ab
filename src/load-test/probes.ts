/** What is asked of the system while it is loaded, each question timed. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Clock } from '../ops/clock.ts';
import type { Load } from './load.ts';
import type { Target } from './target.ts';

/** Durations, kept as their distribution. */
export class Durations {
  readonly #histogram: RecordableHistogram = createHistogram();

  get count(): number {
    return this.#histogram.count;
  }

  record(durationMs: number): void {
    this.#histogram.record(Math.max(1, Math.round(durationMs * 1000)));
  }

  /** Milliseconds; 0 when nothing was recorded. */
  percentile(percent: number): number {
    return this.count === 0 ? 0 : this.#histogram.percentile(percent) / 1000;
  }
}

const PROBES = 4;
const PROBE_PAUSE_MS = 300;
const LOOK_MS = 2;
/** Then it counts as never seen. */
const SEEN_WITHIN_MS = 10_000;

/** How long it takes from the sending of an event until it is seen in the active session. */
export class Visibility {
  readonly durations = new Durations();
  unseen = 0;
  errors = 0;
  readonly #target: Target;
  readonly #clock: Clock;

  constructor(target: Target, clock: Clock) {
    this.#target = target;
    this.#clock = clock;
  }

  /** Users of its own, one event of each at a time. */
  async run(run: string, signal: AbortSignal): Promise<void> {
    const users = Array.from({ length: PROBES }, (_, index) => `probe-${run}-${index}`);
    await Promise.all(users.map((userId) => this.#probe(userId, signal)));
  }

  async #probe(userId: string, signal: AbortSignal): Promise<void> {
    for (let count = 1; !signal.aborted; count++) {
      const startMs = this.#clock.monotonicMs();
      const timestamp = this.#clock.nowMs();
      const event = { userId, eventId: `${userId}-${count}`, eventType: 'CLICK', timestamp };
      const { status } = await this.#target.postEvents([event]);
      if (status !== 202) {
        this.errors++;
        return;
      }
      if (await this.#seen(userId, count, startMs)) {
        this.durations.record(this.#clock.monotonicMs() - startMs);
      } else {
        this.unseen++;
      }
      await this.#clock.sleep(PROBE_PAUSE_MS, signal);
    }
  }

  async #seen(userId: string, count: number, startMs: number): Promise<boolean> {
    while (this.#clock.monotonicMs() - startMs < SEEN_WITHIN_MS) {
      const { body } = await this.#target.get(`api/sessions/active/${userId}`);
      if (Number(body['eventCount'] ?? 0) >= count) return true;
      await this.#clock.sleep(LOOK_MS);
    }
    return false;
  }
}

const QUERY_PAUSE_MS = 50;

/** A route, and how to ask it about a user. */
const ROUTES: readonly (readonly [route: string, path: (userId: string) => string])[] = [
  ['/api/sessions/active/:userId', (userId) => `api/sessions/active/${userId}`],
  ['/state/:userId', (userId) => `state/${userId}`],
  ['/api/sessions/active', () => 'api/sessions/active?limit=50'],
  ['/api/sessions/history/:userId', (userId) => `api/sessions/history/${userId}`],
  ['/api/sessions/converted', () => 'api/sessions/converted?size=10'],
  ['/api/analytics/stats', () => 'api/analytics/stats?hours=24'],
];

/** Every route in turn, and how long each takes. */
export class Queries {
  readonly byRoute = new Map<string, Durations>(ROUTES.map(([route]) => [route, new Durations()]));
  /** By route and status. */
  readonly errors = new Map<string, number>();
  /** Where each is asked: the owner's state may be on a port of its own. */
  readonly #targetOf: (route: string) => Target | null;
  readonly #clock: Clock;

  constructor(targetOf: (route: string) => Target | null, clock: Clock) {
    this.#targetOf = targetOf;
    this.#clock = clock;
  }

  /** Asks about users of whom events have been accepted. */
  async run(load: Load, users: number, signal: AbortSignal): Promise<void> {
    for (let count = 0; !signal.aborted; count++) {
      // A step that goes through all of them out of order.
      const user = (count * 7919) % users;
      const [route, path] = ROUTES[count % ROUTES.length]!;
      const target = this.#targetOf(route);
      if (target !== null && load.accepted(user) > 0) {
        const { status, tookMs } = await target.get(path(load.userId(user)));
        // Accepted just now, it may not be seen yet; or another instance has its partition.
        if ([200, 404, 421].includes(status)) this.byRoute.get(route)!.record(tookMs);
        else {
          const what = `${route}: ${status === 0 ? 'no answer' : status}`;
          this.errors.set(what, (this.errors.get(what) ?? 0) + 1);
        }
      }
      await this.#clock.sleep(QUERY_PAUSE_MS / ROUTES.length, signal);
    }
  }
}
