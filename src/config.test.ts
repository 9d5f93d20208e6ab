/** Where values come from, what is refused, and in which words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkRun, checkStart, type Flags, loadConfig, withoutPassword } from './config.ts';
import { DEFAULT_DEFINITION } from './core/definition.ts';
import { LullError } from './errors.ts';

const HOUR_MS = 3_600_000;

test('the defaults are the definition of the core, and can start', () => {
  const loaded = loadConfig({}, {});
  assert.deepEqual(loaded.config.definition, DEFAULT_DEFINITION);
  assert.deepEqual(
    new Set(Object.values(loaded.provenance).map(({ origin }) => origin)),
    new Set(['default']),
  );
  checkStart(loaded);
});

test('a flag wins over the environment, that over the default of the command', () => {
  const at = (flags: Flags, environment: Record<string, string>) => {
    const { config, provenance } = loadConfig(flags, environment, { partitions: '1' });
    return [config.partitions, provenance.partitions.origin];
  };
  assert.deepEqual(at({ partitions: '3' }, { LULL_PARTITIONS: '2' }), [3, 'flag']);
  assert.deepEqual(at({}, { LULL_PARTITIONS: '2' }), [2, 'environment']);
  assert.deepEqual(at({}, { LULL_PARTITIONS: '' }), [1, 'default']);
  assert.equal(loadConfig({ simulate: false }, { LULL_SIMULATE: 'true' }).config.simulate, false);
});

test('a config is frozen all through', () => {
  const { config } = loadConfig({ tiers: '1m,2m', endTypes: 'LOGOUT' }, {});
  for (const part of [config, config.definition, config.tiersMs, config.endTypes]) {
    assert.ok(Object.isFrozen(part));
  }
});

const READINGS: readonly [flag: string, text: string, name: string, value: unknown][] = [
  ['port', '0', 'port', 0],
  ['gap', '250ms', 'gapMs', 250],
  ['gap', ' 1h ', 'gapMs', HOUR_MS],
  ['tiers', '0, 1h', 'tiersMs', [0, HOUR_MS]],
  ['endTypes', '', 'endTypes', []],
  ['endTypes', 'LOGOUT,SESSION_END', 'endTypes', ['LOGOUT', 'SESSION_END']],
  ['maxDisk', '500mb', 'maxDiskBytes', 500_000_000],
  ['rate', '0.5', 'ratePerSecond', 0.5],
  ['fsync', 'never', 'fsync', 'never'],
  ['seed', '9007199254740991', 'seed', Number.MAX_SAFE_INTEGER],
];
for (const [flag, text, name, value] of READINGS) {
  test(`--${flag} "${text}" is read as ${JSON.stringify(value)}`, () => {
    const config = loadConfig({ [flag]: text }, {}).config as unknown as Record<string, unknown>;
    assert.deepEqual(config[name], value);
  });
}

const GRACE_AND_TIERS: readonly [flags: Flags, graceMs: number, tiersMs: readonly number[]][] = [
  [{ grace: '2s' }, 2000, [2000, HOUR_MS, 24 * HOUR_MS]],
  [{ grace: '1h' }, HOUR_MS, [HOUR_MS, 24 * HOUR_MS]],
  [{ grace: '30d' }, 720 * HOUR_MS, [720 * HOUR_MS]],
  [{ tiers: '10m' }, 600_000, [600_000]],
  [{ tiers: '0,1h', grace: '0' }, 0, [0, HOUR_MS]],
];
for (const [flags, graceMs, tiersMs] of GRACE_AND_TIERS) {
  test(`grace and tiers agree after ${JSON.stringify(flags)}`, () => {
    const { config } = loadConfig(flags, {});
    assert.deepEqual([config.graceMs, config.tiersMs], [graceMs, tiersMs]);
    assert.deepEqual(config.definition.tiersMs, tiersMs);
  });
}

test('the default back-fill shrinks to the last tier, the default idle to gap and grace', () => {
  assert.equal(loadConfig({ tiers: '5m,1h' }, {}).config.backfillMs, HOUR_MS);
  const { config } = loadConfig({ gap: '10s', grace: '2s' }, {});
  assert.deepEqual([config.idleMs, config.definition.idleMs], [12_000, 12_000]);
  assert.equal(loadConfig({ gap: '10s', idle: '1m' }, {}).config.idleMs, 60_000);
});

const REFUSALS: readonly [
  flags: Flags,
  environment: Record<string, string>,
  code: string,
  words: RegExp,
][] = [
  [{ port: '65536' }, {}, 'wrong_usage', /^--port 65536: must be a whole number from 0 to 65535$/],
  [{ port: '80.5' }, {}, 'wrong_usage', /--port 80\.5/],
  [{ port: '1e3' }, {}, 'wrong_usage', /--port 1e3/],
  [{}, { LULL_GAP: '30' }, 'invalid_setting', /^LULL_GAP=30: must be a duration such as/],
  [{ gap: '0' }, {}, 'wrong_usage', /^--gap 0: the gap must be at least 1 ms$/],
  [{ tiers: '1h,5m' }, {}, 'wrong_usage', /--tiers 1h,5m: tiers must rise/],
  [{ tiers: '' }, {}, 'wrong_usage', /--tiers : there must be 1 to 8 tiers/],
  [{ tiers: '5m,x' }, {}, 'wrong_usage', /must be a list/],
  [{ tiers: '5m,1h', grace: '1m' }, {}, 'wrong_usage', /--grace 1m --tiers 5m,1h/],
  [{ grace: '1m' }, { LULL_TIERS: '5m' }, 'wrong_usage', /--grace 1m LULL_TIERS=5m/],
  [{}, { LULL_GRACE: '1m', LULL_TIERS: '5m' }, 'invalid_setting', /LULL_GRACE=1m LULL_TIERS=5m/],
  [{ maxDisk: '2' }, {}, 'wrong_usage', /must be a size such as/],
  [{ maxDisk: '100MB' }, {}, 'wrong_usage', /^--max-disk 100MB: --max-disk must be at least 500MB/],
  [{ users: '0' }, {}, 'wrong_usage', /--users 0/],
  [{ rate: '-1' }, {}, 'wrong_usage', /--rate -1/],
  [{ fsync: 'sometimes' }, {}, 'wrong_usage', /one of always, interval, never/],
  [{ host: '0.0.0.0' }, {}, 'wrong_usage', /^--host 0\.0\.0\.0: beyond loopback set LULL_TOKEN/],
  [{}, { HOST: '127.0.0.1.example.com' }, 'invalid_setting', /beyond loopback/],
  [{ corsOrigins: 'https://a.b,https://a.b/c' }, {}, 'wrong_usage', /https:..a.b.c is no origin/],
  [{ retainSessions: '24h' }, {}, 'wrong_usage', /--retain-sessions must cover 1470m/],
  [{ simulate: false, rate: '5' }, {}, 'wrong_usage', /^--rate 5 --no-simulate: there are/],
  [{ seed: '5' }, { LULL_SIMULATE: 'false' }, 'wrong_usage', /LULL_SIMULATE=false: there are no/],
  [{ tiers: '5m,60d' }, {}, 'wrong_usage', /--tiers 5m,60d: --retain-sessions must cover/],
  [{ backfill: '25h' }, {}, 'wrong_usage', /--backfill 25h/],
];
for (const [flags, environment, code, words] of REFUSALS) {
  test(`refused: ${JSON.stringify({ ...flags, ...environment })}`, () => {
    assert.throws(
      () => checkStart(loadConfig(flags, environment)),
      (error) => error instanceof LullError && error.code === code && words.test(error.message),
    );
  });
}

const RUN_REFUSALS: typeof REFUSALS = [
  [{ host: '0.0.0.0' }, {}, 'wrong_usage', /beyond loopback set LULL_TOKEN/],
  [{ backfill: '25h' }, {}, 'wrong_usage', /--backfill 25h/],
  [{ sessionTimeout: '5s' }, {}, 'wrong_usage', /^--session-timeout 5s: .* from 6s/],
  [{}, { LULL_SESSION_TIMEOUT: '45s' }, 'invalid_setting', /to 30s$/],
  [{ commitInterval: '2s' }, {}, 'wrong_usage', /at most a quarter of --session-timeout/],
  [{ kafkaProtocol: 'SASL_SSL' }, {}, 'wrong_usage', /needs KAFKA_SASL_USERNAME and/],
  [{ kafkaCertificate: 'a.pem' }, {}, 'wrong_usage', /a certificate and its key go together/],
  [{}, { REDIS_URL: 'localhost:6379' }, 'invalid_setting', /^REDIS_URL=.* begins with redis:\/\/$/],
  [{ database: 'mysql://a:b@c/d' }, {}, 'wrong_usage', /^--database mysql:\/\/a:\(hidden\)@c\/d: /],
  [{ advertisedUrl: 'me' }, {}, 'wrong_usage', /begins with http:\/\/$/],
  [{ prefix: 'a/b' }, {}, 'wrong_usage', /^--prefix a\/b: must be 1 to 64 letters/],
];
for (const [flags, environment, code, words] of RUN_REFUSALS) {
  test(`refused by run: ${JSON.stringify({ ...flags, ...environment })}`, () => {
    assert.throws(
      () => checkRun(loadConfig(flags, environment)),
      (error) => error instanceof LullError && error.code === code && words.test(error.message),
    );
  });
}

test('run takes the defaults, and what Kafka with SASL needs', () => {
  checkRun(loadConfig({}, {}));
  const { config } = loadConfig(
    {},
    {
      KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
      ...{ KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'p' },
    },
  );
  assert.deepEqual(
    [config.kafkaMechanism, config.kafkaUser, config.kafkaPassword],
    ['PLAIN', 'u', 'p'],
  );
});

for (const [flags, environment] of [
  [{ host: '0.0.0.0' }, { LULL_TOKEN: 'open-sesame' }],
  [{ host: '0.0.0.0', auth: 'none' }, {}],
  [{ host: '::1' }, {}],
  [{ host: 'localhost' }, {}],
] as const) {
  test(`can start: ${JSON.stringify({ ...flags, ...environment })}`, () => {
    checkStart(loadConfig(flags, environment));
  });
}

for (const [url, shown] of [
  ['redis://:secret@h:6379', 'redis://:(hidden)@h:6379'],
  ['redis://:sec/ret@h', 'redis://:(hidden)@h'],
  ['postgres://lull:sec/re+t==@db/sessiondb', 'postgres://lull:(hidden)@db/sessiondb'],
  ['postgres://lull:12/secret@db:5432/x', 'postgres://lull:(hidden)@db:5432/x'],
  ['postgres://db/x?user=u&password=secret&sslmode=require', null],
  ['postgres://lull@db/x', 'postgres://lull@db/x'],
] as const) {
  test(`what is shown of ${url}`, () => {
    const text = withoutPassword(url);
    if (shown !== null) assert.equal(text, shown);
    assert.doesNotMatch(text, /sec/);
  });
}

test('a token is not told in a refusal', () => {
  const secret = 'x'.repeat(5000);
  assert.throws(
    () => loadConfig({ token: secret }, {}),
    (error) => error instanceof LullError && !error.message.includes(secret),
  );
});
