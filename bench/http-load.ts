/** Requests over HTTP by a client that costs little beside the server that it measures. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';

const CONNECTIONS = 32;

interface Answer {
  readonly status: number;
  /** Head and body. */
  readonly text: string;
}

export function request(method: string, path: string, body?: Buffer): Buffer {
  const head =
    `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n` +
    (body === undefined ? '\r\n' : `Content-Length: ${body.length}\r\n\r\n`);
  return body === undefined ? Buffer.from(head) : Buffer.concat([Buffer.from(head), body]);
}

/** One keep-alive connection with one request at a time, read just far enough to know its end. */
export class Connection {
  readonly #socket: Socket;
  #received = '';
  #answered: ((answer: Answer) => void) | null = null;

  static async open(url: string): Promise<Connection> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, 'connect');
    return new Connection(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => this.#take(chunk));
  }

  send(bytes: Buffer): Promise<Answer> {
    this.#socket.write(bytes);
    return new Promise((resolve) => {
      this.#answered = resolve;
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: string): void {
    this.#received += chunk;
    const headEnd = this.#received.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(this.#received)?.[1]);
    if (this.#received.length < headEnd + 4 + length) return;
    const text = this.#received;
    this.#received = '';
    this.#answered!({ status: Number(text.slice(9, 12)), text });
  }
}

/**
 * So many requests a second, each as `next` gives it; latency counts from when each was due.
 * `sources` counts what the answers say they come from, and refusals by their status.
 */
export async function sendAtRate(
  url: string,
  next: () => Buffer,
  perSecond: number,
  durationMs: number,
): Promise<{ latencies: number[]; sources: Map<string, number> }> {
  const free: Connection[] = [];
  for (let index = 0; index < CONNECTIONS; index++) free.push(await Connection.open(url));
  const all = [...free];
  const latencies: number[] = [];
  const sources = new Map<string, number>();
  const startMs = performance.now();
  const total = (durationMs / 1000) * perSecond;
  let sent = 0;
  while (latencies.length < total) {
    const elapsedMs = performance.now() - startMs;
    while (sent < total && free.length > 0 && (sent * 1000) / perSecond <= elapsedMs) {
      const bytes = next();
      const dueMs = startMs + (sent++ * 1000) / perSecond;
      const connection = free.pop()!;
      void connection.send(bytes).then(({ status, text }) => {
        latencies.push(performance.now() - dueMs);
        const source = status < 300 ? (/"source":"(\w+)"/.exec(text)?.[1] ?? 'none') : `${status}`;
        sources.set(source, (sources.get(source) ?? 0) + 1);
        free.push(connection);
      });
    }
    await setTimeout(1);
  }
  for (const connection of all) connection.close();
  return { latencies, sources };
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  return Number(value.toFixed(2));
}
