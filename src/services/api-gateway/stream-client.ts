/** One reader of server-sent events: frames go out, and a reader that is too slow is let go. */
import type { ServerResponse } from 'node:http';

/** Bytes that may wait for a reader before it counts as too slow. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** And for all readers together: beyond it, those with more than their share are too slow. */
const MAX_ALL_WAITING_BYTES = 64 * 1024 * 1024;
/** How long the last frame may take before the connection is cut. */
const LAST_FRAME_MS = 2000;

/** What waits in memory for the readers of one port, all together. */
export class WaitingRoom {
  readonly limitBytes = MAX_ALL_WAITING_BYTES;
  bytes = 0;
  readers = 0;

  /** What may wait for one of them. */
  get shareBytes(): number {
    return this.bytes <= this.limitBytes
      ? MAX_WAITING_BYTES
      : Math.min(MAX_WAITING_BYTES, this.limitBytes / this.readers);
  }
}

export class StreamClient {
  readonly #response: ServerResponse;
  readonly #room: WaitingRoom;
  /** As the room has it. */
  #waitingBytes = 0;
  #ended = false;

  constructor(response: ServerResponse, room: WaitingRoom) {
    this.#response = response;
    this.#room = room;
    room.readers++;
    response.on('drain', () => this.#count(response.writableLength));
    response.once('close', () => {
      this.#count(0);
      room.readers--;
    });
  }

  get isOpen(): boolean {
    return !this.#ended && !this.#response.destroyed;
  }

  /** Sends a frame; ends the stream instead when too much waits already. */
  send(frame: string): void {
    if (!this.isOpen) return;
    this.#count(this.#response.writableLength);
    if (this.#waitingBytes > this.#room.shareBytes) {
      this.end('too_slow', 'events come faster than you read them: narrow the filter');
    } else {
      this.#response.write(frame);
      this.#count(this.#response.writableLength);
    }
  }

  #count(length: number): void {
    const waitingBytes = this.#response.destroyed ? 0 : length;
    this.#room.bytes += waitingBytes - this.#waitingBytes;
    this.#waitingBytes = waitingBytes;
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
