/** Instances of Lull's services as processes of their own, each with its data folder. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { MAIN } from '../support/running-system.ts';

export type Service = 'api-gateway' | 'session-processor' | 'session-analytics' | 'event-producer';

/** What it said last, for the report of a failure. */
const KEPT_OUTPUT = 20_000;

export class Instance {
  readonly name: string;
  readonly service: Service;
  readonly url: string;
  readonly dataDir: string;
  readonly #environment: Readonly<Record<string, string>>;
  #process: ChildProcess | null = null;
  #ended: Promise<unknown> = Promise.resolve();
  #output = '';

  /** Its data lies in a folder of its own below `folder`. */
  constructor(
    name: string,
    service: Service,
    port: number,
    folder: string,
    settings: Readonly<Record<string, string>>,
  ) {
    this.name = name;
    this.service = service;
    this.url = `http://127.0.0.1:${port}`;
    this.dataDir = join(folder, name);
    this.#environment = { ...settings, PORT: String(port), LULL_DATA: this.dataDir };
  }

  get isRunning(): boolean {
    return this.#process !== null;
  }

  get pid(): number {
    return this.#process!.pid!;
  }

  /** What it printed last. */
  get output(): string {
    return this.#output;
  }

  start(): void {
    const child = spawn(process.execPath, [MAIN, 'run', this.service], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...this.#environment },
    });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-KEPT_OUTPUT);
      });
    }
    this.#ended = once(child, 'exit').then(([status, signal]) => {
      this.#output += `\n(ended: ${status ?? signal})\n`;
      if (this.#process === child) this.#process = null;
    });
  }

  /** Sends the signal and resolves once the process has ended. */
  async end(signal: NodeJS.Signals): Promise<void> {
    this.#process?.kill(signal);
    await this.#ended;
  }

  suspend(): void {
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  deleteData(): void {
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  async isReady(): Promise<boolean> {
    try {
      const answer = await fetch(`${this.url}/ready`, { signal: AbortSignal.timeout(2000) });
      return answer.status === 200;
    } catch {
      return false;
    }
  }
}
