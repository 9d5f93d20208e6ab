/** Server-sent events by fetch, which can send a token; it connects again by itself. */
import { ApiError, send } from './api.ts';
import { heard, lost, tokenNeed } from './connection.ts';
import { type EventFrame, EventFrames } from './event-frames.ts';
import { pause } from './pause.ts';
import { tellStale } from './stale.ts';

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 8000;
/** The server says something every 15 s. */
const SILENCE_MS = 40_000;

export interface StreamListener {
  /** Connected, for the first time or again: what happened before has to be asked for. */
  opened(): void;
  told(frame: EventFrame): void;
  /** Not opened, for this reason; it is tried again. */
  refused?(error: ApiError): void;
}

/** Keeps `what` up to date; a notice says so while it doesn't. Returns the way to close it. */
export function openEventStream(what: string, url: string, listener: StreamListener): () => void {
  const stream = new EventStream(what, url, listener);
  void stream.follow();
  return () => stream.close();
}

class EventStream {
  readonly #what: string;
  readonly #url: string;
  readonly #listener: StreamListener;
  readonly #closing = new AbortController();
  #waitMs = FIRST_RETRY_MS;
  #heardMs = Date.now();
  #tellCurrent: () => void = () => {};

  constructor(what: string, url: string, listener: StreamListener) {
    this.#what = what;
    this.#url = url;
    this.#listener = listener;
  }

  close(): void {
    this.#closing.abort();
    this.#tellCurrent();
  }

  async follow(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await this.#read();
        this.#broken('the stream of changes ended');
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof ApiError)) {
          lost();
          this.#broken('the stream of changes broke off');
        } else if (error.status === 401) {
          await tokenGiven(signal);
        } else {
          this.#broken(error.message);
          this.#listener.refused?.(error);
        }
      }
      await pause(this.#waitMs, signal);
      this.#waitMs = Math.min(2 * this.#waitMs, LAST_RETRY_MS);
    }
  }

  async #read(): Promise<void> {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const signal = AbortSignal.any([this.#closing.signal, silence.signal]);
      const response = await send(this.#url, { signal });
      this.#waitMs = FIRST_RETRY_MS;
      this.#tellCurrent();
      this.#listener.opened();
      const frames = new EventFrames();
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        this.#heardMs = Date.now();
        heard();
        for (const frame of frames.push(value)) this.#listener.told(frame);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #broken(why: string): void {
    this.#tellCurrent();
    if (this.#closing.signal.aborted) return;
    this.#tellCurrent = tellStale({ what: this.#what, asOfMs: this.#heardMs, why });
  }
}

function tokenGiven(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const stop = tokenNeed.subscribe(() => {
      if (tokenNeed.get() === 'none') done();
    });
    const done = () => {
      stop();
      resolve();
    };
    signal.addEventListener('abort', done, { once: true });
  });
}
