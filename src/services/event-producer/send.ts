/** Sends events to a running system over HTTP, at the pace at which it takes them. */
import { LullError } from '../../errors.ts';
import type { Clock } from '../../ops/clock.ts';

export interface Target {
  /** Address of the system, with or without a path before `/api/events`. */
  readonly url: string;
  readonly token?: string | undefined;
}

export interface Receipt {
  readonly accepted: number;
  readonly rejected: number;
}

const REQUEST_TIMEOUT_MS = 30_000;
/** Without one batch taken for so long, sending is given up. */
const PATIENCE_MS = 5 * 60_000;
const MAX_WAIT_MS = 60_000;
const DEFAULT_WAIT_MS = 1000;

export class Sender {
  readonly #url: URL;
  readonly #headers: Record<string, string>;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #onWait: (reason: string) => void;
  #everReached = false;

  /** Throws `wrong_usage` when the address can't be one. */
  constructor(
    target: Target,
    clock: Clock,
    onWait: (reason: string) => void,
    signal: AbortSignal | undefined,
  ) {
    const base = target.url.endsWith('/') ? target.url : `${target.url}/`;
    if (!URL.canParse(base) || !/^https?:$/.test(new URL(base).protocol)) {
      throw new LullError('wrong_usage', `${target.url} is not an http or https address`);
    }
    this.#url = new URL('api/events', base);
    this.#headers = { 'content-type': 'application/x-ndjson' };
    if (target.token !== undefined) this.#headers['authorization'] = `Bearer ${target.token}`;
    this.#clock = clock;
    this.#onWait = onWait;
    this.#signal = signal;
  }

  /**
   * Sends NDJSON and waits as long as it is told to; the same batch may reach the system twice,
   * which its event ids make harmless. Resolves null when aborted. Rejects with
   * `target_unavailable`, or `target_refused` when it will not take these events at all.
   */
  async send(ndjson: string): Promise<Receipt | null> {
    const giveUpMs = this.#clock.monotonicMs() + PATIENCE_MS;
    while (!this.#signal?.aborted) {
      const result = await this.#post(ndjson);
      if ('accepted' in result) return result;
      if (this.#clock.monotonicMs() + result.waitMs > giveUpMs) {
        throw new LullError('target_unavailable', `${this.#url}: ${result.reason}`);
      }
      this.#onWait(result.reason);
      await this.#clock.sleep(result.waitMs, this.#signal);
    }
    return null;
  }

  async #post(body: string): Promise<Receipt | { waitMs: number; reason: string }> {
    let response: Response;
    let text: string;
    try {
      const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
      response = await fetch(this.#url, { method: 'POST', headers: this.#headers, body, signal });
      text = await response.text();
    } catch (error) {
      const reason = reasonOf(error);
      if (this.#everReached) return { waitMs: DEFAULT_WAIT_MS, reason };
      throw new LullError('target_unavailable', `${this.#url}: ${reason}`, { cause: error });
    }
    this.#everReached = true;
    const answer = parse(text);
    if (response.ok) {
      const rejected = Array.isArray(answer['rejected']) ? answer['rejected'].length : 0;
      return { accepted: Number(answer['accepted'] ?? 0), rejected };
    }
    const { code, message } = Object(answer['error']) as { code?: string; message?: string };
    const reason = `${response.status} ${code ?? response.statusText}${message ? `: ${message}` : ''}`;
    if (response.status !== 429 && response.status < 500) {
      throw new LullError('target_refused', `${this.#url}: ${reason}`);
    }
    return { waitMs: retryAfterMs(response.headers.get('retry-after'), this.#clock), reason };
  }
}

/** `Retry-After` as seconds or as a date. */
function retryAfterMs(header: string | null, clock: Clock): number {
  if (header === null) return DEFAULT_WAIT_MS;
  const waitMs = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - clock.nowMs();
  return Number.isNaN(waitMs) ? DEFAULT_WAIT_MS : Math.min(MAX_WAIT_MS, Math.max(0, waitMs));
}

function parse(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

/** `fetch failed` says nothing, its cause does; where several addresses failed, only its code. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  if (!(cause instanceof Error)) return String(cause);
  return cause.message || (cause as NodeJS.ErrnoException).code || cause.name;
}
