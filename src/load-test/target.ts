/** The running system that is loaded: requests over connections that are kept, each timed. */
import * as http from 'node:http';
import * as https from 'node:https';
import { LullError } from '../errors.ts';

export interface Answer {
  /** 0 when there was none. */
  readonly status: number;
  /** Of JSON; empty where it was none. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** From the sending of the request to the end of the answer. */
  readonly tookMs: number;
}

const ANSWER_MS = 10_000;

export class Target {
  readonly url: URL;
  readonly #headers: Record<string, string>;
  readonly #client: typeof http | typeof https;
  readonly #agent: http.Agent | https.Agent;

  /** connections: more requests than these at a time wait for each other. */
  constructor(url: string, token: string | null, connections: number) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw new LullError('wrong_usage', `${url} is not an http or https address`);
    }
    this.url = new URL(url.endsWith('/') ? url : `${url}/`);
    this.#headers = token === null ? {} : { authorization: `Bearer ${token}` };
    this.#client = this.url.protocol === 'https:' ? https : http;
    this.#agent = new this.#client.Agent({ keepAlive: true, maxSockets: connections });
  }

  get(path: string): Promise<Answer> {
    return this.#ask('GET', path, null);
  }

  postEvents(events: readonly object[]): Promise<Answer> {
    return this.#ask('POST', 'api/events', JSON.stringify(events));
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Never rejects. */
  #ask(method: string, path: string, body: string | null): Promise<Answer> {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const startMs = performance.now();
    const done = (status: number, text: string) => {
      resolve({ status, text, body: parse(text), tookMs: performance.now() - startMs });
    };
    const headers = body === null ? {} : { 'content-type': 'application/json' };
    const request = this.#client.request(new URL(path, this.url), {
      ...{ method, agent: this.#agent, signal: AbortSignal.timeout(ANSWER_MS) },
      headers: { ...this.#headers, ...headers },
    });
    request.once('error', (error) => done(0, String(error)));
    request.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.once('end', () => done(response.statusCode ?? 0, text));
      response.once('error', (error) => done(0, String(error)));
    });
    request.end(body ?? undefined);
    return promise;
  }
}

function parse(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
