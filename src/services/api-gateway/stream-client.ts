/** One reader of server-sent events: frames go out, and a reader that is too slow is let go. */
import type { ServerResponse } from 'node:http';

/** Bytes that may wait for a reader before it counts as too slow. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** How long the last frame may take before the connection is cut. */
const LAST_FRAME_MS = 2000;

export class StreamClient {
  readonly #response: ServerResponse;
  #ended = false;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  get isOpen(): boolean {
    return !this.#ended && !this.#response.destroyed;
  }

  /** Sends a frame; ends the stream instead when too much waits already. */
  send(frame: string): void {
    if (!this.isOpen) return;
    if (this.#response.writableLength > MAX_WAITING_BYTES) {
      this.end('too_slow', 'events come faster than you read them: narrow the filter');
    } else {
      this.#response.write(frame);
    }
  }

  /** Resolves when what has been sent is on its way, or the reader is gone. */
  drained(): Promise<void> {
    const response = this.#response;
    if (!this.isOpen || !response.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        response.off('drain', done);
        response.off('close', done);
        resolve();
      };
      response.once('drain', done);
      response.once('close', done);
    });
  }

  /** Says why, and closes. */
  end(code: string, message: string): void {
    if (!this.isOpen) return;
    this.#ended = true;
    this.#response.end(frameOf('end', JSON.stringify({ code, message })));
    const timer = setTimeout(() => this.#response.destroy(), LAST_FRAME_MS);
    this.#response.once('close', () => clearTimeout(timer));
  }
}

/** `data` is one line, as JSON always is. */
export function frameOf(event: string, data: string, id?: string): string {
  const head = id === undefined ? '' : `id: ${id}\n`;
  return `${head}event: ${event}\ndata: ${data}\n\n`;
}
