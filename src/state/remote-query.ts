/** The state of partitions held by other processes, asked over HTTP: the owner, then standbys. */
import { type ClientRequestArgs, Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { partitionOf } from '../core/hash.ts';
import type { SessionRecord } from '../core/output.ts';
import { LullError } from '../errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { PartitionStatus, SessionQuery, StateAnswer, Visibility } from './query.ts';

/** Who holds a partition, by the URLs at which they are reached. */
export interface PartitionHolders {
  readonly owner: string | null;
  readonly standbys: readonly string[];
}

export interface RemoteQueryOptions {
  readonly partitionCount: number;
  readonly clock: Clock;
  /** Who holds each partition now; null while that is being decided anew. */
  readonly describe: () => Promise<readonly PartitionHolders[] | null>;
  /** What this process holds itself, and the URL under which others know it. */
  readonly local: () => LocalState | null;
  /** Sent with each request. */
  readonly token: string | null;
}

export interface LocalState {
  readonly url: string;
  readonly query: SessionQuery;
  readonly partitions: () => readonly PartitionStatus[];
}

const REFRESH_MS = 2000;
/** However often a wrong owner is met. */
const MIN_REFRESH_MS = 250;
/** For one answer: who takes longer is passed over. */
const ANSWER_MS = 500;
/** How long one that did not answer is asked last. */
const SUSPECT_MS = 2000;
const MAX_CONNECTIONS = 64;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const POLL_MS = 100;

export class RemoteQuery implements SessionQuery {
  readonly #options: RemoteQueryOptions;
  readonly #client: JsonClient;
  #holders: readonly PartitionHolders[] = [];
  #refreshing: Promise<void> | null = null;
  #refreshedMs = Number.NEGATIVE_INFINITY;
  /** When each that did not answer may be asked first again. */
  readonly #suspects = new Map<string, number>();

  constructor(options: RemoteQueryOptions) {
    this.#options = options;
    this.#client = new JsonClient(options.token);
  }

  async sessionsOf(userId: string): Promise<StateAnswer | null> {
    const partition = partitionOf(userId, this.#options.partitionCount);
    const own = (await this.#options.local()?.query.sessionsOf(userId)) ?? null;
    if (own?.source === 'state') return own;
    const asked = new Set<string>();
    let best = own;
    // Whoever is met in the first round may know less than the group does by now.
    for (let round = 0; round < 2 && best?.source !== 'state'; round++) {
      await this.#refresh(round === 0 ? REFRESH_MS : MIN_REFRESH_MS);
      for (const url of this.#holdersOf(partition)) {
        // Whoever did not answer a moment ago is waited for only where nobody else has.
        if (asked.has(url) || (best !== null && this.#isSuspect(url))) continue;
        asked.add(url);
        best = newer(best, await this.#ask(url, userId));
        if (best?.source === 'state') break;
      }
      // A copy will do while its owner can't be asked.
      if (best !== null) break;
    }
    if (best !== null) return best;
    const message = `nobody who holds partition ${partition} could be asked`;
    throw new LullError('state_unavailable', message);
  }

  async waitVisible(
    partition: number,
    offset: number,
    timeoutMs: number,
  ): Promise<Visibility | null> {
    const { clock } = this.#options;
    const local = this.#options.local();
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    for (;;) {
      const leftMs = Math.max(0, Math.ceil(deadlineMs - clock.monotonicMs()));
      const own = await local?.query.waitVisible(partition, offset, leftMs);
      const seen = own ?? (await this.#askVisible(partition, offset, leftMs));
      if (seen !== null) return seen;
      if (clock.monotonicMs() + POLL_MS >= deadlineMs) return null;
      await Promise.all([clock.sleep(POLL_MS), this.#refresh(MIN_REFRESH_MS)]);
    }
  }

  /** For `/health`: which partitions nobody owns, as far as is known; null when all is well. */
  problem(): string | null {
    void this.#refresh(REFRESH_MS);
    if (this.#holders.length === 0) return 'no session-processor is known yet';
    const unowned = [...this.#holders.entries()].filter(([, { owner }]) => owner === null);
    if (unowned.length === 0) return null;
    return `no session-processor has partition ${unowned.map(([partition]) => partition).join(', ')}`;
  }

  /** How the partitions are, of those owners that answer. */
  async status(): Promise<PartitionStatus[]> {
    const { clock } = this.#options;
    const local = this.#options.local();
    await this.#refresh(REFRESH_MS);
    const owners = new Set(this.#holders.map(({ owner }) => owner));
    const answers = [...owners].map(async (owner) => {
      if (owner === null) return [];
      if (owner === local?.url) return local.partitions();
      const answer = await this.#client.get(`${owner}/partitions`, ANSWER_MS);
      if (answer === null) this.#suspects.set(owner, clock.monotonicMs() + SUSPECT_MS);
      return answer?.status === 200 ? (answer.body as PartitionStatus[]) : [];
    });
    return (await Promise.all(answers)).flat();
  }

  close(): void {
    this.#client.close();
  }

  async #askVisible(partition: number, offset: number, waitMs: number): Promise<Visibility | null> {
    await this.#refresh(REFRESH_MS);
    const owner = this.#holders[partition]?.owner ?? null;
    if (owner === null || owner === this.#options.local()?.url) return null;
    const path = `/partitions/${partition}/visible?offset=${offset}&waitMs=${waitMs}`;
    const answer = await this.#client.get(`${owner}${path}`, waitMs + ANSWER_MS);
    if (answer?.status !== 200) return null;
    return (answer.body as { visibility: Visibility | null }).visibility;
  }

  async #ask(url: string, userId: string): Promise<StateAnswer | null> {
    const { clock } = this.#options;
    const answer = await this.#client.get(`${url}/state/${encodeURIComponent(userId)}`, ANSWER_MS);
    if (answer === null) this.#suspects.set(url, clock.monotonicMs() + SUSPECT_MS);
    else this.#suspects.delete(url);
    if (answer?.status !== 200) return null;
    const { source, asOf, items } = answer.body as StateBody;
    return { source, asOfMs: Date.parse(asOf), sessions: items };
  }

  /** Those to ask, in order; this process itself has been asked. */
  #holdersOf(partition: number): string[] {
    const local = this.#options.local();
    const { owner = null, standbys = [] } = this.#holders[partition] ?? {};
    const urls = owner === null ? [...standbys] : [owner, ...standbys];
    return urls
      .filter((url) => url !== local?.url)
      .sort((one, other) => Number(this.#isSuspect(one)) - Number(this.#isSuspect(other)));
  }

  #isSuspect(url: string): boolean {
    return (this.#suspects.get(url) ?? 0) > this.#options.clock.monotonicMs();
  }

  /** Asks the group, unless it was asked so lately; while it can't be, the last answer stays. */
  #refresh(maxAgeMs: number): Promise<void> {
    const { clock, describe } = this.#options;
    if (clock.monotonicMs() - this.#refreshedMs < maxAgeMs) return Promise.resolve();
    this.#refreshing ??= describe()
      .then((holders) => {
        if (holders !== null) this.#holders = holders;
      })
      .catch(() => {})
      .finally(() => {
        this.#refreshedMs = clock.monotonicMs();
        this.#refreshing = null;
        this.#forgetSuspects();
      });
    // While there is something to go by, nobody waits for the group.
    return this.#holders.length > 0 && maxAgeMs === REFRESH_MS
      ? Promise.resolve()
      : this.#refreshing;
  }

  #forgetSuspects(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [url, untilMs] of this.#suspects) if (untilMs <= nowMs) this.#suspects.delete(url);
  }
}

interface StateBody {
  readonly source: StateAnswer['source'];
  readonly asOf: string;
  readonly items: readonly SessionRecord[];
}

/** An owner's word counts more than any copy's, a newer copy's more than an older one's. */
function newer(one: StateAnswer | null, other: StateAnswer | null): StateAnswer | null {
  if (one === null || other === null) return one ?? other;
  if (one.source !== other.source) return one.source === 'state' ? one : other;
  return one.asOfMs >= other.asOfMs ? one : other;
}

/** GETs JSON over connections that are kept. */
class JsonClient {
  readonly #headers: Record<string, string>;
  readonly #http = new HttpAgent({ keepAlive: true, maxSockets: MAX_CONNECTIONS });
  readonly #https = new HttpsAgent({ keepAlive: true, maxSockets: MAX_CONNECTIONS });

  constructor(token: string | null) {
    this.#headers = token === null ? {} : { authorization: `Bearer ${token}` };
  }

  /** Null when there is no answer in time, or none that is JSON. Never rejects. */
  get(url: string, timeoutMs: number): Promise<{ status: number; body: unknown } | null> {
    return new Promise((resolve) => {
      const isSecure = url.startsWith('https:');
      const agent = isSecure ? this.#https : this.#http;
      const signal = AbortSignal.timeout(timeoutMs);
      const options: ClientRequestArgs = { agent, signal, headers: this.#headers };
      const sent = (isSecure ? httpsRequest : httpRequest)(url, options, (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > MAX_ANSWER_BYTES) return void response.destroy();
          chunks.push(chunk);
        });
        response.on('end', () => {
          try {
            const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
            resolve({ status: response.statusCode ?? 0, body });
          } catch {
            resolve(null);
          }
        });
        response.on('error', () => resolve(null));
        response.on('close', () => resolve(null));
      });
      sent.on('error', () => resolve(null));
      sent.end();
    });
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}
