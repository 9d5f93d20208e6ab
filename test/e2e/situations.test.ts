/** Bad situations of the embedded system: what it says, and that no acknowledged event is lost. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  eventually,
  get,
  MAIN,
  makeFolder,
  post,
  type RunningSystem,
  startSystem,
  untilReady,
} from '../support/running-system.ts';
import { mountDisk, unlessMountable } from '../support/small-disk.ts';
import { checkSessions, type Sent, settledSessions } from './acknowledged.ts';

const bound = { timeout: 300_000 };
const USERS = Array.from({ length: 20 }, (_, user) => `user-${user}`);
/** Short, so that sessions close while the disk is full. */
const DEFINITION = ['--gap', '2s', '--grace', '1s', '--tiers', '1s,60s', '--idle', '1s'];
const DISK_MEGABYTES = 400;
const FULL_MS = 5000;
/** What comes sooner counts as the same one: a terminal and npm both pass it on. */
const SECOND_SIGNAL_MS = 1000;

test('a full disk: refused with the reason, and all is there once there is room', {
  ...bound,
  skip: unlessMountable(),
}, async () => {
  const disk = mountDisk(DISK_MEGABYTES);
  const flags = ['--no-simulate', '--retain-sessions', '1d', '--data', `${disk.path}/data`];
  const acknowledged = new Map<string, Sent>();
  const uncertain = new Map<string, Sent>();
  let system: RunningSystem | null = null;
  let count = 0;
  const send = async (url: string): Promise<number> => {
    const events = USERS.map((userId) => {
      return { eventId: `e-${count++}`, userId, eventType: 'CLICK', timestamp: Date.now() };
    });
    const { status } = await post(url, events);
    const answered = status === 202 ? acknowledged : uncertain;
    for (const event of events) answered.set(event.eventId, event);
    return status;
  };
  try {
    system = await startSystem(...flags, ...DEFINITION);
    const { url } = system;
    await untilReady(url);
    for (let times = 0; times < 50; times++) assert.equal(await send(url), 202);
    disk.fillUp();
    const refused = await eventually(
      () => send(url),
      (status) => status !== 202,
    );
    assert.equal(refused, 507, system.output());
    // Sessions close meanwhile, state and history want to write.
    await sleep(FULL_MS);
    assert.equal((await get(`${url}/api/sessions/converted`)).status, 200);
    const { body: health } = await get<{ parts: { reason: string | null }[] }>(`${url}/health`);
    const reasons = health.parts.map(({ reason }) => reason ?? '').join();
    assert.match(reasons, /no space is left/);
    assert.equal(await send(url), 507);
    disk.makeRoom();
    await eventually(
      () => send(url),
      (status) => status === 202,
    );
    const sessions = await settledSessions(url, USERS, acknowledged);
    checkSessions(sessions, acknowledged, uncertain);
    assert.deepEqual(await system.end('SIGTERM'), [0, null]);
  } finally {
    await system?.end('SIGKILL');
    disk.remove();
  }
});

test('a disk without room for empty stores: one line', {
  ...bound,
  skip: unlessMountable(),
}, () => {
  const disk = mountDisk(50);
  const data = `${disk.path}/data`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [MAIN, 'start', '--port', '0', '--no-simulate', '--data', data],
    { encoding: 'utf8' },
  );
  disk.remove();
  assert.deepEqual([status, stdout], [1, '']);
  assert.match(stderr, /^lull: the disk of [^\n]* has \d+ MB left; 100 MB are needed; [^\n]*\n$/);
});

test('a first signal waits for what is under way, a second one does not', bound, async () => {
  const folder = makeFolder('signals');
  const system = await startSystem('--no-simulate', '--data', folder.path);
  const { hostname, port } = new URL(system.url);
  const stuck = connect(Number(port), hostname).on('error', () => {});
  try {
    await untilReady(system.url);
    // A request whose end doesn't come would be waited for, for five seconds.
    stuck.write('POST /api/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n[');
    await sleep(200);
    void system.end('SIGTERM');
    await sleep(SECOND_SIGNAL_MS);
    assert.deepEqual(await system.end('SIGTERM'), [130, null]);
  } finally {
    stuck.destroy();
    await system.end('SIGKILL');
    folder.remove();
  }
});
