/** What long work says on standard error: progress, notes, totals. */
import type { Writable } from 'node:stream';
import type { Clock } from './clock.ts';

const TERMINAL_EVERY_MS = 200;
const ELSEWHERE_EVERY_MS = 5000;

export class Report {
  readonly #stderr: Writable & { isTTY?: boolean; columns?: number };
  readonly #clock: Clock;
  readonly #startMs: number;
  #shownMs: number;
  #shown = false;

  constructor(stderr: Writable, clock: Clock) {
    this.#stderr = stderr;
    this.#clock = clock;
    this.#startMs = this.#shownMs = clock.monotonicMs();
  }

  get elapsedSeconds(): number {
    return (this.#clock.monotonicMs() - this.#startMs) / 1000;
  }

  /** On a terminal a line that changes in place, elsewhere one every few seconds. */
  progress(line: () => string): void {
    const nowMs = this.#clock.monotonicMs();
    const terminal = this.#stderr.isTTY === true;
    if (nowMs - this.#shownMs < (terminal ? TERMINAL_EVERY_MS : ELSEWHERE_EVERY_MS)) return;
    this.#shownMs = nowMs;
    if (!terminal) return this.line(line());
    this.#stderr.write(`\r\x1b[K${line().slice(0, (this.#stderr.columns ?? 80) - 1)}`);
    this.#shown = true;
  }

  line(text: string): void {
    this.#stderr.write(`${this.#shown ? '\r\x1b[K' : ''}${text}\n`);
    this.#shown = false;
  }
}

/** `1234567` -> `1,234,567`. */
export function counted(count: number): string {
  return count.toLocaleString('en-US');
}

/** Bytes as people say them: `320.8 MB`. */
export function sized(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
