/** Server-sent events by fetch, which can send a token; it connects again by itself. */
import { ApiError, send } from './api.ts';
import { heard, lost, tokenNeed } from './connection.ts';
import { type EventFrame, EventFrames } from './event-frames.ts';
import { pause } from './pause.ts';

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 8000;
/** The server says something every 15 s. */
const SILENCE_MS = 40_000;

export interface StreamListener {
  /** Connected, for the first time or again: what happened before has to be asked for. */
  opened(): void;
  told(frame: EventFrame): void;
}

/** Returns the way to close it. */
export function openEventStream(url: string, listener: StreamListener): () => void {
  const aborter = new AbortController();
  void follow(url, listener, aborter.signal);
  return () => aborter.abort();
}

async function follow(url: string, listener: StreamListener, signal: AbortSignal): Promise<void> {
  for (let waitMs = FIRST_RETRY_MS; !signal.aborted; waitMs *= 2) {
    try {
      await read(url, listener, signal, () => {
        waitMs = FIRST_RETRY_MS / 2;
      });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) lost();
      else if (error.status === 401) await tokenGiven(signal);
    }
    await pause(Math.min(waitMs, LAST_RETRY_MS), signal);
  }
}

async function read(
  url: string,
  listener: StreamListener,
  signal: AbortSignal,
  opened: () => void,
): Promise<void> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    const response = await send(url, { signal: AbortSignal.any([signal, silence.signal]) });
    opened();
    listener.opened();
    const frames = new EventFrames();
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return lost();
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      heard();
      for (const frame of frames.push(value)) listener.told(frame);
    }
  } finally {
    clearTimeout(timer);
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
