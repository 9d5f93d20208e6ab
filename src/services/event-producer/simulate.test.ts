/** `lull simulate`: the same events in every format, to files, streams and a running system. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { type Clock, systemClock } from '../../ops/clock.ts';
import { CSV_HEADER } from './shop-event.ts';
import {
  type SimulateOptions,
  type SimulateProgress,
  simulateToFile,
  simulateToStream,
  simulateToSystem,
} from './simulate.ts';

const OPTIONS = { clock: systemClock, seed: 7 };
const HOUR_MS = 3_600_000;

describe('to a file', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lull-simulate-'));
  });
  after(() => rm(directory, { recursive: true }));

  const linesOf = async (name: string, options: Partial<SimulateOptions> = {}) => {
    const path = join(directory, name);
    const totals = await simulateToFile(path, { ...OPTIONS, ...options });
    const bytes = await readFile(path);
    const content = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
    assert.ok(content.endsWith('\n'));
    return { totals, lines: content.slice(0, -1).split('\n') };
  };

  test('every ending holds the same events', async () => {
    const events = 1234;
    const { lines, totals } = await linesOf('a.ndjson', { events });
    assert.equal(lines.length, events);
    assert.equal(totals.events, events);
    for (const name of ['a.jsonl', 'a.ndjson.gz']) {
      assert.deepEqual((await linesOf(name, { events })).lines, lines);
    }
    const csv = (await linesOf('a.csv', { events })).lines;
    assert.equal(csv[0], CSV_HEADER);
    assert.deepEqual((await linesOf('a.csv.gz', { events })).lines, csv);
    const ids = (rows: string[]) => rows.map((row) => /sim-\w+-\d+/.exec(row)?.[0]);
    assert.deepEqual(ids(csv.slice(1)), ids(lines));
  });

  test('without limits it is a day, and the same for the same seed only', async () => {
    const { lines, totals } = await linesOf('b.ndjson', { users: 2 });
    assert.deepEqual((await linesOf('c.ndjson', { users: 2 })).lines, lines);
    assert.notDeepEqual((await linesOf('d.ndjson', { users: 2, seed: 8 })).lines, lines);
    const days = (totals.lastMs! - totals.firstMs!) / (24 * HOUR_MS);
    assert.ok(days > 0.99 && days < 1, `${days} days`);
  });

  test('from and duration bound it', async () => {
    const fromMs = Date.UTC(2026, 5, 1);
    const { totals } = await linesOf('e.ndjson', { fromMs, durationMs: HOUR_MS, rate: 20 });
    assert.ok(totals.firstMs! >= fromMs && totals.lastMs! < fromMs + HOUR_MS);
    assert.ok(Math.abs(totals.events / 3600 / 20 - 1) < 0.05);
  });

  test('another ending, an impossible place and an impossible load are refused', async () => {
    await assert.rejects(simulateToFile('a.xml', OPTIONS), { code: 'wrong_usage' });
    const nowhere = join(directory, 'missing', 'a.csv');
    await assert.rejects(simulateToFile(nowhere, OPTIONS), { code: 'data_unwritable' });
    const path = join(directory, 'f.csv');
    const impossible = { ...OPTIONS, users: 1, rate: 500 };
    await assert.rejects(simulateToFile(path, impossible), { code: 'wrong_usage' });
  });
});

describe('to a stream', () => {
  test('it goes no faster than it is read', async () => {
    const stream = new PassThrough({ highWaterMark: 1000 });
    let reached = 0;
    const onProgress = ({ events }: SimulateProgress) => {
      reached = events;
    };
    const done = simulateToStream(stream, 'ndjson', { ...OPTIONS, events: 50_000, onProgress });
    await once(stream, 'readable');
    assert.ok(reached < 5000, `${reached} events made for a reader that does not read`);
    const [content, totals] = await Promise.all([
      text(stream),
      done.then((value) => {
        stream.end();
        return value;
      }),
    ]);
    assert.equal(content.split('\n').length, 50_001);
    assert.equal(totals.events, 50_000);
  });

  test('a reader that goes away ends it quietly', async () => {
    let bytes = 0;
    const stream = new Writable({
      write(chunk: Buffer, _encoding, callback) {
        bytes += chunk.length;
        const gone = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
        callback(bytes > 300_000 ? gone : null);
      },
    });
    const { events } = await simulateToStream(stream, 'csv', OPTIONS);
    assert.ok(events > 1000 && events < 20_000, `${events}`);
  });
});

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** A system that answers as it is told. */
async function withSystem(answer: Answer, run: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(async (request, response) => {
    answer(request, response, await text(request));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function accept(response: ServerResponse, body: string): void {
  const accepted = body.trimEnd().split('\n').length;
  response.writeHead(202, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ accepted, rejected: [] }));
}

/** Sleeps take no time but are written down. */
function hurriedClock(): { clock: Clock; slept: number[] } {
  const slept: number[] = [];
  let aheadMs = 0;
  const clock: Clock = {
    nowMs: () => Date.UTC(2026, 10, 23) + aheadMs,
    monotonicMs: () => aheadMs,
    async sleep(durationMs) {
      slept.push(durationMs);
      aheadMs += durationMs;
    },
  };
  return { clock, slept };
}

describe('to a running system', () => {
  test('from the past: all of it, in order, as fast as it is taken', async () => {
    const { clock } = hurriedClock();
    const bodies: string[] = [];
    await withSystem(
      (request, response, body) => {
        assert.equal(`${request.method} ${request.url}`, 'POST /api/events');
        assert.equal(request.headers['content-type'], 'application/x-ndjson');
        assert.equal(request.headers.authorization, 'Bearer secret');
        bodies.push(body);
        accept(response, body);
      },
      async (url) => {
        const fromMs = clock.nowMs() - HOUR_MS;
        const options = { ...OPTIONS, clock, fromMs, rate: 10 };
        const totals = await simulateToSystem({ url, token: 'secret' }, options);
        const lines = bodies.join('').trimEnd().split('\n');
        assert.equal(totals.events, lines.length);
        const copy = new PassThrough();
        const [wanted] = await Promise.all([
          text(copy),
          simulateToStream(copy, 'ndjson', { ...options, durationMs: HOUR_MS }).then(() =>
            copy.end(),
          ),
        ]);
        assert.equal(bodies.join(''), wanted);
      },
    );
  });

  test('from now on: in real time, for as long as it shall last', async () => {
    const { clock } = hurriedClock();
    let events = 0;
    await withSystem(
      (_, response, body) => {
        events += body.trimEnd().split('\n').length;
        accept(response, body);
      },
      async (url) => {
        const durationMs = 10_000;
        const options = { ...OPTIONS, clock, durationMs, users: 50, rate: 500 };
        const totals = await simulateToSystem({ url }, options);
        assert.equal(totals.events, events);
        assert.ok(Math.abs(events / 10 / 500 - 1) < 0.05, `${events} events`);
        assert.ok(totals.lastMs! - totals.firstMs! < durationMs);
      },
    );
  });

  test('it waits as long as it is told, says so, and sends the same events again', async () => {
    const { clock, slept } = hurriedClock();
    const bodies: string[] = [];
    const waits: (string | null)[] = [];
    await withSystem(
      (_, response, body) => {
        bodies.push(body);
        if (bodies.length > 2) return accept(response, body);
        const headers = bodies.length === 1 ? { 'retry-after': '7' } : {};
        response.writeHead(503, headers);
        response.end('{"error":{"code":"back_filling","message":"not yet"}}');
      },
      async (url) => {
        const fromMs = clock.nowMs() - HOUR_MS;
        const onProgress = ({ waitsFor }: SimulateProgress) => waits.push(waitsFor);
        const options = { ...OPTIONS, clock, fromMs, events: 20, onProgress };
        assert.equal((await simulateToSystem({ url }, options)).events, 20);
      },
    );
    assert.deepEqual(slept, [7000, 1000]);
    assert.deepEqual(new Set(bodies).size, 1);
    assert.deepEqual(waits, ['503 back_filling: not yet', '503 back_filling: not yet', null]);
  });

  test('events that are refused one by one are counted', async () => {
    await withSystem(
      (_, response) => {
        response.writeHead(202);
        response.end('{"accepted":18,"rejected":[{"index":0},{"index":5}]}');
      },
      async (url) => {
        const options = { ...OPTIONS, fromMs: Date.now() - HOUR_MS, events: 20 };
        assert.equal((await simulateToSystem({ url }, options)).rejected, 2);
      },
    );
  });

  test('it gives up in the end, and at once where nobody listens', async () => {
    const { clock, slept } = hurriedClock();
    const fromMs = clock.nowMs() - HOUR_MS;
    await withSystem(
      (_, response) => response.writeHead(507, { 'retry-after': '100000' }).end(),
      async (url) => {
        const sent = simulateToSystem({ url }, { ...OPTIONS, clock, fromMs });
        await assert.rejects(sent, { code: 'target_unavailable' });
      },
    );
    assert.deepEqual(slept, Array(5).fill(60_000));
    let closed = '';
    await withSystem(
      () => {},
      async (url) => {
        closed = url;
      },
    );
    const sent = simulateToSystem({ url: closed }, { ...OPTIONS, clock, fromMs });
    await assert.rejects(sent, { code: 'target_unavailable', message: /ECONNREFUSED/ });
  });

  test('what it will not take at all ends it with the reason', async () => {
    await withSystem(
      (_, response) => {
        response.writeHead(401);
        response.end('{"error":{"code":"unauthorized","message":"a token is needed"}}');
      },
      async (url) => {
        const sent = simulateToSystem({ url }, { ...OPTIONS, fromMs: Date.now() - HOUR_MS });
        const message = /401 unauthorized: a token is needed/;
        await assert.rejects(sent, { code: 'target_refused', message });
      },
    );
  });

  test('no address, and the future, are wrong usage', async () => {
    for (const url of ['localhost:8080', 'ftp://localhost', '']) {
      await assert.rejects(simulateToSystem({ url }, OPTIONS), { code: 'wrong_usage' });
    }
    const fromMs = Date.now() + HOUR_MS;
    const sent = simulateToSystem({ url: 'http://localhost' }, { ...OPTIONS, fromMs });
    await assert.rejects(sent, { code: 'wrong_usage' });
  });
});
