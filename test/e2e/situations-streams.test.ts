/**
 * Streams that are read slowly or not at all: what waits for them is bounded, and they are let go.
 * STREAMS=1000 node --test test/e2e/situations-streams.test.ts has more of them.
 */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeSession, openGateway } from '../support/open-gateway.ts';
import { eventually } from '../support/running-system.ts';

const STREAMS = Number(process.env['STREAMS'] ?? 150);
const MEGABYTE = 1024 * 1024;
/** Of a record; kernels take some megabytes for each reader before anything waits here. */
const PAGE_BYTES = 200_000;
/** Beyond the limit each may still be given a last frame. */
const SLACK_BYTES = STREAMS * 2 * PAGE_BYTES;
const SLOW_PAUSE_MS = 200;

test('a crowd of slow and silent readers', { timeout: 900_000 }, async (t) => {
  const gateway = await openGateway();
  const sockets: Socket[] = [];
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await gateway.close();
  });
  const { port } = new URL(gateway.url);
  const open = async () => {
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET /api/stream/sessions?state=closed HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await new Promise((resolve) => socket.once('readable', resolve));
    return socket;
  };
  const gauge = async (name: string, queue: string) => {
    const line = new RegExp(`^lull_${name}\\{queue="${queue}"\\} (\\S+)$`, 'm');
    return Number(line.exec(await gateway.metrics.text())![1]);
  };
  const before = process.memoryUsage().rss;
  // Every other one takes a little now and then, the rest nothing at all.
  for (let index = 0; index < STREAMS; index++) {
    const socket = await open();
    sockets.push(socket);
    if (index % 2 === 0) void readSlowly(socket);
  }
  let readTotal = 0;
  const reader = await open();
  reader.on('data', (data: Buffer) => {
    readTotal += data.length;
  });
  sockets.push(reader);
  assert.equal(await gauge('queue_depth', 'stream_clients'), STREAMS + 1);
  const quiet = process.memoryUsage().rss;
  const limit = await gauge('queue_limit', 'stream_waiting_bytes');
  let [most, sent] = [0, 0];
  const page = 'x'.repeat(PAGE_BYTES);
  while ((await gauge('queue_depth', 'stream_clients')) > 1) {
    await gateway.send(makeSession({ sessionId: `s-${sent}`, state: 'closed', entryPage: page }));
    sent++;
    // Who reads at once is not let go with the others.
    await eventually(
      async () => readTotal,
      (bytes) => bytes >= sent * PAGE_BYTES,
    );
    const waiting = await gauge('queue_depth', 'stream_waiting_bytes');
    most = Math.max(most, waiting);
    assert.ok(waiting <= limit + SLACK_BYTES, `${waiting} bytes wait`);
    assert.ok(sent < 500, 'they are still there');
  }
  await eventually(
    () => gauge('queue_depth', 'stream_waiting_bytes'),
    (bytes) => bytes === 0,
  );
  const megabytes = (bytes: number) => `${Math.round(bytes / MEGABYTE)} MB`;
  t.diagnostic(
    `${STREAMS} streams: ${megabytes(quiet - before)} while quiet; then at most ${megabytes(most)} ` +
      `waited, of ${megabytes(limit)}; resident ${megabytes(process.memoryUsage().rss)}`,
  );
  assert.ok(most > limit / 4, 'nothing ever waited');
  assert.ok(!reader.destroyed);
});

/** A little at a time, for as long as there is something. */
async function readSlowly(socket: Socket): Promise<void> {
  while (!socket.destroyed) {
    socket.read(1024);
    await sleep(SLOW_PAUSE_MS);
  }
}
