/** Help as it was agreed, exit statuses, and what a person reads when something is wrong. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const COMMANDS = ['start', 'run', 'init', 'sessionize', 'simulate', 'load-test', 'config'];

function lull(parameters: readonly string[], environment: Record<string, string> = {}) {
  const { PATH = '' } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['src/main.ts', ...parameters], {
    encoding: 'utf8',
    env: { PATH, ...environment },
  });
  return { status, stdout, stderr };
}

test('help', (t) => {
  const helps = [['--help'], ...COMMANDS.map((name) => [name, '--help'])].map((parameters) => {
    const { status, stdout, stderr } = lull(parameters);
    assert.deepEqual([status, stderr], [0, '']);
    return `$ lull ${parameters.join(' ')}\n${stdout}`;
  });
  // After an intended change: node --test --test-update-snapshots src/commands/*.test.ts
  t.assert.fileSnapshot(helps.join('\n'), 'test/golden/help.txt', {
    serializers: [(text) => text],
  });
});

test('--version prints the version of the package', () => {
  assert.match(lull(['--version']).stdout, /^\d+\.\d+\.\d+\n$/);
});

const WRONG: readonly [
  parameters: string[],
  environment: Record<string, string>,
  status: number,
  says: RegExp,
][] = [
  [[], {}, 2, /^Usage: lull/],
  [['konfig'], {}, 2, /^lull: unknown command 'konfig'.*; add --help.*\n$/],
  [['config', '--gaps', '5m'], {}, 2, /^lull: unknown option '--gaps'/],
  [['start', '--rate', '500', '--users', '1'], {}, 2, /^lull: 500 events a second from 1 users/],
  [['config', 'extra'], {}, 2, /too many arguments/],
  [['config', '--gap'], {}, 2, /argument missing/],
  [['config', '--gap', '5'], {}, 2, /^lull: --gap 5: must be a duration.*; add --help.*\n$/],
  [['run'], {}, 2, /missing required argument 'service'/],
  [['run', 'gateway'], {}, 2, /^lull: there is no service gateway: api-gateway, event-producer/],
  [['run', 'event-producer', '--users', '1'], {}, 2, /^lull: 500 events a second from 1 users/],
  [['init', '--prefix', 'a b'], {}, 2, /^lull: --prefix a b: must be 1 to 64 letters/],
  [
    ['run', 'api-gateway', '--kafka-ca', 'no-such.pem', '--kafka-protocol', 'SSL', '--port', '0'],
    {},
    1,
    /^lull: no-such\.pem can't be read: ENOENT/,
  ],
  [['simulate', '--events', 'x'], {}, 2, /^lull: --events x: must be a whole number/],
  [['simulate', '--rate', '500', '--users', '1'], {}, 2, /^lull: 500 events a second from 1 users/],
  [['sessionize'], {}, 2, /missing required argument 'file'/],
  [['sessionize', 'no-such-file.csv'], {}, 1, /^lull: no-such-file\.csv can't be read/],
  [['sessionize', '-', '--order', 'none'], {}, 2, /^lull: --order none: must be one of event/],
  [['config'], { LULL_GAP: '5' }, 1, /^lull: LULL_GAP=5: must be a duration.*; lull config.*\n$/],
];
for (const [parameters, environment, status, says] of WRONG) {
  test(`lull ${parameters.join(' ')} ${JSON.stringify(environment)} ends with ${status}`, () => {
    const result = lull(parameters, environment);
    assert.deepEqual([result.status, result.stdout], [status, '']);
    assert.match(result.stderr, says);
  });
}

test('lull config says what is in force, where it came from, and no secret', () => {
  const { status, stdout } = lull(['config', '--gap', '10s', '--no-simulate'], {
    LULL_TOKEN: 'open-sesame',
    DATABASE_URL: 'postgres://lull:open-sesame@db/sessiondb',
    PORT: '9000',
  });
  assert.equal(status, 0);
  assert.match(stdout, /^--gap +10s +flag$/m);
  assert.match(stdout, /^--simulate +false +flag$/m);
  assert.match(stdout, /^--port +9000 +environment PORT$/m);
  assert.match(stdout, /^--grace +5m +default$/m);
  assert.match(stdout, /^--database +postgres:\/\/lull:\(hidden\)@db\/sessiondb +environment/m);
  assert.ok(!stdout.includes('open-sesame'));
  assert.match(stdout, /^--token +\(hidden\) +environment LULL_TOKEN$/m);
});

test('lull simulate writes records to standard output alone, the same for a seed', () => {
  const parameters = ['simulate', '--events', '3', '--seed', '1'];
  const { status, stdout, stderr } = lull(parameters);
  assert.equal(status, 0);
  const users = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).userId);
  assert.equal(users.length, 3);
  assert.match(stderr, /^3 events; --seed 1 gives the same again\n$/);
  assert.equal(lull(parameters).stdout, stdout);
  assert.notEqual(lull(['simulate', '--events', '3', '--seed', '2']).stdout, stdout);
});
