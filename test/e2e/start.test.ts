/** What a person meets who starts it: an empty system, its first event, and clear refusals. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
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

const bound = { timeout: 120_000 };

/** Runs the program to its end. */
function lull(...parameters: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...parameters], { encoding: 'utf8', timeout: 60_000 });
}

suite('a system without shoppers', bound, () => {
  const folder = makeFolder('start');
  let system: RunningSystem;

  before(async () => {
    const flags = ['--no-simulate', '--gap', '2s', '--grace', '1s', '--idle', '1s'];
    system = await startSystem('--data', folder.path, ...flags);
    await untilReady(system.url);
  }, bound);
  after(async () => {
    await system?.end('SIGKILL');
    folder.remove();
  });

  test('is empty, in zeros and empty lists', async () => {
    const stats = await get<Record<string, number>>(`${system.url}/api/analytics/stats?hours=24`);
    assert.deepEqual(stats.body, {
      totalSessions: 0,
      averageDuration: 0,
      averageEventCount: 0,
      conversionCount: 0,
      conversionRate: 0,
    });
    for (const path of ['active', 'converted', 'history/nobody']) {
      const { body } = await get<{ items: [] }>(`${system.url}/api/sessions/${path}`);
      assert.deepEqual(body, { items: [], nextCursor: null });
    }
    assert.equal((await get(`${system.url}/api/sessions/active/nobody`)).status, 404);
  });

  test('takes its first event, and closes its session when time has passed', bound, async () => {
    const event = { userId: 'me', eventType: 'PAGE_VIEW', timestamp: Date.now(), page: '/' };
    assert.equal((await post(system.url, event)).status, 202);
    const history = await eventually(
      () => get<{ items: { state: string }[] }>(`${system.url}/api/sessions/history/me`),
      ({ body }) => body.items.length === 1,
    );
    assert.equal(history.body.items[0]!.state, 'closed');
    const gone = await get<{ error: { code: string } }>(`${system.url}/api/sessions/active/me`);
    assert.equal(gone.status, 404);
    assert.equal(gone.body.error.code, 'session_closed');
  });

  test('keeps a second process off its port and its folder, in one line each', () => {
    const other = makeFolder('other');
    const { port } = new URL(system.url);
    const taken = lull('start', '--port', port, '--no-simulate', '--data', other.path);
    other.remove();
    assert.equal(taken.status, 1);
    assert.match(taken.stderr, new RegExp(`^lull: port ${port} is in use; .*--port.*\\n$`));
    const locked = lull('start', '--port', '0', '--no-simulate', '--data', folder.path);
    assert.equal(locked.status, 1);
    assert.match(locked.stderr, /^lull: [^\n]*; [^\n]*--data[^\n]*\n$/);
    assert.equal(locked.stdout, '');
  });
});

test('a folder that can not be made, and settings that can not work: one line each', bound, () => {
  const folder = makeFolder('refused');
  const file = join(folder.path, 'file');
  writeFileSync(file, '');
  const unwritable = lull('start', '--port', '0', '--data', join(file, 'data'));
  folder.remove();
  assert.equal(unwritable.status, 1);
  assert.match(unwritable.stderr, /^lull: [^\n]*; [^\n]*--data[^\n]*\n$/);
  for (const wrong of [
    ['--gap', 'soon'],
    ['--grace', '5m', '--tiers', '1m,1h'],
    ['--host', '0.0.0.0'],
    ['--no-such-flag'],
  ]) {
    const { status, stderr } = lull('start', ...wrong);
    assert.equal(status, 2, wrong.join(' '));
    assert.notEqual(stderr, '');
  }
});

test('the requests of README.md, as they stand there', bound, async () => {
  const [, block = ''] =
    /## Requests to try\n\n```sh\n([\s\S]*?)```/.exec(readFileSync('README.md', 'utf8')) ?? [];
  const folder = makeFolder('readme');
  const system = await startSystem('--data', folder.path, '--backfill', '2h');
  try {
    // `curl -N --max-time` ends a stream, which never ends by itself, with status 28.
    const script = `set -e\n${block}`
      .replaceAll('http://localhost:8080', system.url)
      .replace(/(curl -N .*)/, '$1 || test $? = 28');
    const { status, stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    assert.equal(stdout.match(/"error"/g), null, stdout);
    assert.match(stdout, /"userId":"user-1"/);
    assert.match(stdout, /"totalSessions":\d+/);
    assert.match(stdout, /"accepted":1/);
    assert.match(stdout, /^event: session$/m);
  } finally {
    await system.end('SIGKILL');
    folder.remove();
  }
});
