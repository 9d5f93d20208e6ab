/** The scripts that people run against a system: on the distributed one, each service by itself. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import {
  makeFolder,
  type RunningSystem,
  startServices,
  untilReady,
} from '../support/running-system.ts';
import { loadShortly, tellStory } from '../support/scripts.ts';
import {
  type SharedServers,
  startSharedServers,
  unlessSharedServers,
} from '../support/server-trio.ts';

const bound = { timeout: 600_000 };
const SERVICES = ['api-gateway', 'session-processor', 'session-analytics'];

suite('on the distributed system', { skip: unlessSharedServers(), ...bound }, () => {
  const folder = makeFolder('scripts');
  const running: RunningSystem[] = [];
  let servers: SharedServers;
  let url: string;
  let services: string[];

  before(async () => {
    servers = await startSharedServers();
    for (const service of SERVICES) {
      const data = join(folder.path, service);
      running.push(await startServices(servers.environment, service, '--data', data));
    }
    for (const system of running) await untilReady(system.url);
    [url = '', ...services] = running.map((system) => system.url);
  }, bound);
  after(async () => {
    await Promise.all(running.map((system) => system.end('SIGKILL')));
    await servers?.stop();
    folder.remove();
  });

  test('all of the story is true', bound, async () => {
    const { status, output } = await tellStory(url, services);
    assert.equal(status, 0, output);
    assert.match(output, /^\d\d passed, 0 failed$/m);
  });

  test('a load is taken whole, and seen', bound, async () => {
    const { status, output } = await loadShortly(url, services);
    assert.equal(status, 0, output);
    assert.match(output, /^ok {4}events .* accepted, 0 lost, 0 too many$/m);
    assert.match(output, /^(ok {2}|FAIL) {2}\/state\/:userId +p50/m);
  });
});
