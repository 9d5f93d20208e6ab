/** Every setting once: flag, environment name, default and help; and a Config from all of them. */
import {
  DEFAULT_DEFINITION,
  definitionProblem,
  durationText,
  type SessionDefinition,
} from './core/definition.ts';
import { LullError } from './errors.ts';
import { LOG_LEVELS } from './ops/logger.ts';
import { isLoopback } from './ops/loopback.ts';
import {
  choice,
  decimal,
  duration,
  listOf,
  onOff,
  type Setting,
  setting,
  size,
  text,
  whole,
} from './setting.ts';

const DEFAULTS = DEFAULT_DEFINITION;

const SETTINGS = {
  host: setting(text('address'), {
    flag: '--host',
    env: 'HOST',
    default: '127.0.0.1',
    help: 'address to listen on; any but loopback needs a token',
  }),
  port: setting(whole(0, 65_535), {
    flag: '--port',
    env: 'PORT',
    default: '8080',
    help: 'port to listen on; 0 takes a free one',
  }),
  token: setting(text('secret'), {
    flag: '--token',
    env: 'LULL_TOKEN',
    default: null,
    help: 'what requests must carry; better set in the environment, where others do not see it',
    secret: true,
  }),
  auth: setting(choice(['token', 'none']), {
    flag: '--auth',
    env: 'LULL_AUTH',
    default: 'token',
    help: 'none: listen without a token even beyond loopback',
  }),
  corsOrigins: setting(listOf(text('origin')), {
    flag: '--cors-origins',
    env: 'LULL_CORS_ORIGINS',
    default: '',
    help: 'sites whose pages may ask from a browser, such as https://shop.example',
  }),
  allowedHosts: setting(listOf(text('name')), {
    flag: '--allowed-hosts',
    env: 'LULL_ALLOWED_HOSTS',
    default: '',
    help: "without a token, names by which requests may come, beside this machine's own",
  }),
  intakeRatePerSecond: setting(decimal(0, 10_000_000), {
    flag: '--intake-rate',
    env: 'LULL_INTAKE_RATE',
    default: '0',
    help: 'most events a second that are taken from one address; 0 for no bound',
  }),
  dataDir: setting(text('folder'), {
    flag: '--data',
    env: 'LULL_DATA',
    default: './data',
    help: 'folder for everything that is kept',
  }),
  gapMs: setting(duration(), {
    flag: '--gap',
    env: 'LULL_GAP',
    default: durationText(DEFAULTS.gapMs),
    help: 'events of a user at most this far apart belong together',
  }),
  graceMs: setting(duration(), {
    flag: '--grace',
    env: 'LULL_GRACE',
    default: durationText(DEFAULTS.tiersMs[0]!),
    help: 'how long late events are waited for before a session closes; the first tier',
  }),
  tiersMs: setting(listOf(duration()), {
    flag: '--tiers',
    env: 'LULL_TIERS',
    default: DEFAULTS.tiersMs.map(durationText).join(','),
    help: 'deadlines after the gap; a session that changed is sent again at each',
  }),
  maxDurationMs: setting(duration(), {
    flag: '--max-duration',
    env: 'LULL_MAX_DURATION',
    default: durationText(DEFAULTS.maxDurationMs),
    help: 'longest session; 0 for no bound',
  }),
  maxEvents: setting(whole(0, 1_000_000_000), {
    flag: '--max-events',
    env: 'LULL_MAX_EVENTS',
    default: String(DEFAULTS.maxEvents),
    help: 'most events in a session; 0 for no bound',
  }),
  endTypes: setting(listOf(text('type')), {
    flag: '--end-types',
    env: 'LULL_END_TYPES',
    default: DEFAULTS.endTypes.join(','),
    help: 'event types that end a session',
  }),
  idleMs: setting(duration(), {
    flag: '--idle',
    env: 'LULL_IDLE',
    default: durationText(DEFAULTS.idleMs),
    help: 'without events for this long, sessions close by the time that passes',
  }),
  maxFutureMs: setting(duration(), {
    flag: '--max-future',
    env: 'LULL_MAX_FUTURE',
    default: durationText(DEFAULTS.maxFutureMs),
    help: 'events timed further past their arrival are refused',
  }),
  partitions: setting(whole(1, 1024), {
    flag: '--partitions',
    env: 'LULL_PARTITIONS',
    default: '8',
    help: 'partitions, each with its own clock; fixed for the life of an event log',
  }),
  fsync: setting(choice(['always', 'interval', 'never']), {
    flag: '--fsync',
    env: 'LULL_FSYNC',
    default: 'always',
    help: 'when events are synced to disk: before each answer, once a second, or never',
  }),
  commitIntervalMs: setting(duration(), {
    flag: '--commit-interval',
    env: 'LULL_COMMIT_INTERVAL',
    default: '20ms',
    help: 'how often what was processed is committed and becomes visible',
  }),
  memoryUsers: setting(whole(1, 100_000_000), {
    flag: '--memory-users',
    env: 'LULL_MEMORY_USERS',
    default: '200000',
    help: 'users whose sessions are kept in memory, in all partitions together',
  }),
  retainEventsMs: setting(duration(), {
    flag: '--retain-events',
    env: 'LULL_RETAIN_EVENTS',
    default: '24h',
    help: 'how long events are kept once nothing can change their session any more',
  }),
  retainSessionsMs: setting(duration(), {
    flag: '--retain-sessions',
    env: 'LULL_RETAIN_SESSIONS',
    default: '30d',
    help: 'how long closed sessions are kept',
  }),
  maxDiskBytes: setting(size(), {
    flag: '--max-disk',
    env: 'LULL_MAX_DISK',
    default: '2GB',
    help: 'most that the data folder may take; the oldest goes first',
  }),
  simulate: setting(onOff(), {
    flag: '--simulate',
    env: 'LULL_SIMULATE',
    default: 'true',
    help: 'simulated shoppers send events',
  }),
  backfillMs: setting(duration(), {
    flag: '--backfill',
    env: 'LULL_BACKFILL',
    default: '24h',
    help: 'how much of the past the simulated shoppers fill in at first',
  }),
  users: setting(whole(1, 100_000), {
    flag: '--users',
    env: 'LULL_USERS',
    default: null,
    help: 'simulated shoppers at any moment; 50, or as many as the rate needs',
  }),
  ratePerSecond: setting(decimal(0.001, 10_000_000), {
    flag: '--rate',
    env: 'LULL_RATE',
    default: null,
    help: "simulated events a second; without it, the shoppers' own pace",
  }),
  seed: setting(whole(0, Number.MAX_SAFE_INTEGER), {
    flag: '--seed',
    env: 'LULL_SEED',
    default: null,
    help: 'makes the simulated shoppers repeatable',
  }),
  kafkaServers: setting(text('servers'), {
    flag: '--kafka',
    env: 'KAFKA_BOOTSTRAP_SERVERS',
    default: 'localhost:9092',
    help: 'Kafka brokers to begin with, as host:port, separated by commas',
  }),
  kafkaProtocol: setting(choice(['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'], 'protocol'), {
    flag: '--kafka-protocol',
    env: 'KAFKA_SECURITY_PROTOCOL',
    default: 'PLAINTEXT',
    help: 'PLAINTEXT, SSL (which is TLS), SASL_PLAINTEXT or SASL_SSL',
  }),
  kafkaCaFile: setting(text('file'), {
    flag: '--kafka-ca',
    env: 'KAFKA_SSL_CA_LOCATION',
    default: null,
    help: "PEM file of the authority of the brokers' certificates; without it, the system's own",
  }),
  kafkaCertificateFile: setting(text('file'), {
    flag: '--kafka-certificate',
    env: 'KAFKA_SSL_CERTIFICATE_LOCATION',
    default: null,
    help: 'PEM file of our own certificate, for brokers that ask for one',
  }),
  kafkaKeyFile: setting(text('file'), {
    flag: '--kafka-key',
    env: 'KAFKA_SSL_KEY_LOCATION',
    default: null,
    help: 'PEM file of the key of that certificate',
  }),
  kafkaMechanism: setting(choice(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'], 'mechanism'), {
    flag: '--kafka-mechanism',
    env: 'KAFKA_SASL_MECHANISM',
    default: 'SCRAM-SHA-512',
    help: 'how SASL shows who we are: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512',
  }),
  kafkaUser: setting(text('name'), {
    flag: '--kafka-user',
    env: 'KAFKA_SASL_USERNAME',
    default: null,
    help: 'user name for SASL',
  }),
  kafkaPassword: setting(text('secret'), {
    flag: '--kafka-password',
    env: 'KAFKA_SASL_PASSWORD',
    default: null,
    help: 'password for SASL; better set in the environment, where others do not see it',
    secret: true,
  }),
  redisUrl: setting(text('url'), {
    flag: '--redis',
    env: 'REDIS_URL',
    default: 'redis://localhost:6379',
    help: 'Redis: redis://user:password@host:6379/0, or rediss:// with TLS',
  }),
  databaseUrl: setting(text('url'), {
    flag: '--database',
    env: 'DATABASE_URL',
    default: 'postgres://localhost:5432/sessiondb',
    help: 'PostgreSQL: postgres://user:password@host:5432/sessiondb?sslmode=require',
  }),
  prefix: setting(text('text'), {
    flag: '--prefix',
    env: 'LULL_PREFIX',
    default: null,
    help: 'put before the names of topics, groups and Redis keys, for several systems side by side',
  }),
  replication: setting(whole(1, 9), {
    flag: '--replication',
    env: 'LULL_REPLICATION',
    default: null,
    help: 'copies of each topic on the brokers; 3, or as many as there are brokers',
  }),
  standbys: setting(whole(0, 9), {
    flag: '--standbys',
    env: 'LULL_STANDBYS',
    default: '1',
    help: 'instances that keep a copy of a partition beside its owner, and take over from it',
  }),
  sessionTimeoutMs: setting(duration(), {
    flag: '--session-timeout',
    env: 'LULL_SESSION_TIMEOUT',
    default: '6s',
    help: 'an instance that is silent for so long loses its partitions to others',
  }),
  advertisedUrl: setting(text('url'), {
    flag: '--advertised-url',
    env: 'LULL_ADVERTISED_URL',
    default: null,
    help: 'where other instances reach this one; without it, the address it listens on',
  }),
  logLevel: setting(choice(LOG_LEVELS, 'level'), {
    flag: '--log-level',
    env: 'LOG_LEVEL',
    default: 'warn',
    help: `how much is logged on standard error: ${LOG_LEVELS.join(', ')}`,
  }),
};

/** Below it the stores' own write-ahead logs would make sessions go. */
const MIN_DISK_BYTES = 500_000_000;

export type SettingName = keyof typeof SETTINGS;

type Values = {
  [Name in SettingName]: (typeof SETTINGS)[Name] extends Setting<infer Value> ? Value : never;
};

export interface Config extends Readonly<Values> {
  /** The settings that the core decides by, as it wants them. */
  readonly definition: SessionDefinition;
}

export type Origin = 'default' | 'environment' | 'flag';

/** Where a value came from, and how it reads. */
export interface Provenance {
  readonly origin: Origin;
  readonly text: string | null;
}

export interface LoadedConfig {
  readonly config: Config;
  readonly provenance: Readonly<Record<SettingName, Provenance>>;
}

/** By flag without dashes, camelCase (`maxDisk`), as the command line gives them. */
export type Flags = Readonly<Record<string, string | boolean | undefined>>;
export type Environment = Readonly<Record<string, string | undefined>>;

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

export function settingOf(name: SettingName): Setting {
  return SETTINGS[name];
}

/**
 * The settings in force: a flag wins over the environment, that over the default; `defaults` are
 * a command's own. Throws `wrong_usage` for what a flag got wrong, `invalid_setting` for the rest.
 */
export function loadConfig(
  flags: Flags,
  environment: Environment = process.env,
  defaults: Partial<Record<SettingName, string>> = {},
): LoadedConfig {
  const provenance = {} as Record<SettingName, Provenance>;
  for (const name of SETTING_NAMES) {
    const { flag, env, default: standard } = SETTINGS[name];
    const byFlag = flags[flagKey(flag)];
    const byEnvironment = environment[env];
    // An empty variable is how many tools say "not set".
    if (byFlag !== undefined) provenance[name] = { origin: 'flag', text: String(byFlag) };
    else if (byEnvironment) provenance[name] = { origin: 'environment', text: byEnvironment };
    else provenance[name] = { origin: 'default', text: defaults[name] ?? standard };
  }
  const values = fitDefaults(alignGraceAndTiers(parseAll(provenance), provenance), provenance);
  const definition = definitionOf(values, provenance);
  return Object.freeze({ config: Object.freeze({ ...values, definition }), provenance });
}

/** `--max-disk` -> `maxDisk`. */
export function flagKey(flag: string): string {
  return flag.slice(2).replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function parseAll(provenance: Record<SettingName, Provenance>): Values {
  const values: Partial<Record<SettingName, unknown>> = {};
  for (const name of SETTING_NAMES) {
    const { kind } = SETTINGS[name];
    const { text } = provenance[name];
    const value = text === null ? null : kind.parse(text.trim());
    if (value === undefined) throw refusal(provenance, [name], `must be ${kind.wanted}`);
    values[name] = value;
  }
  return values as Values;
}

/** The grace is the first tier: the one that was given decides; given both, they must agree. */
function alignGraceAndTiers(values: Values, provenance: Record<SettingName, Provenance>): Values {
  const { graceMs, tiersMs } = values;
  if (provenance.graceMs.origin === 'default') {
    const first = tiersMs[0] ?? graceMs;
    provenance.graceMs = { origin: provenance.tiersMs.origin, text: durationText(first) };
    return { ...values, graceMs: first };
  }
  if (provenance.tiersMs.origin === 'default') {
    // Later tiers that a long grace has overtaken fall away.
    const aligned = [graceMs, ...tiersMs.slice(1).filter((tierMs) => tierMs > graceMs)];
    const text = aligned.map(durationText).join(',');
    provenance.tiersMs = { origin: provenance.graceMs.origin, text };
    return { ...values, tiersMs: Object.freeze(aligned) };
  }
  if (tiersMs[0] === graceMs) return values;
  throw refusal(provenance, ['graceMs', 'tiersMs'], 'the first tier is the grace: make them equal');
}

/** Two defaults give way: back-filling past the last tier, or idling past a session's end. */
function fitDefaults(values: Values, provenance: Record<SettingName, Provenance>): Values {
  const { gapMs, graceMs, tiersMs } = values;
  const bounds = { backfillMs: tiersMs.at(-1) ?? graceMs, idleMs: Math.max(1, gapMs + graceMs) };
  const fitted = { ...values };
  for (const name of ['backfillMs', 'idleMs'] as const) {
    if (provenance[name].origin !== 'default' || values[name] <= bounds[name]) continue;
    fitted[name] = bounds[name];
    provenance[name] = { origin: 'default', text: durationText(bounds[name]) };
  }
  return fitted;
}

function definitionOf(
  values: Values,
  provenance: Record<SettingName, Provenance>,
): SessionDefinition {
  const { gapMs, tiersMs, maxDurationMs, maxEvents, endTypes, maxFutureMs, idleMs } = values;
  const definition = { gapMs, tiersMs, maxDurationMs, maxEvents, endTypes, maxFutureMs, idleMs };
  const problem = definitionProblem(definition);
  if (problem === null) return Object.freeze(definition);
  throw refusal(provenance, Object.keys(definition) as (keyof Values)[], problem);
}

/** Refuses a start that can't work, would lose data or guard nothing; the message says why. */
export function checkStart(loaded: LoadedConfig): void {
  checkServing(loaded);
  const { config, provenance } = loaded;
  if (config.maxDiskBytes < MIN_DISK_BYTES) {
    const message =
      '--max-disk must be at least 500MB: empty stores and their logs take half of it';
    throw refusal(provenance, ['maxDiskBytes'], message);
  }
  const idle = SIMULATOR_SETTINGS.find((name) => provenance[name].origin === 'flag');
  if (!config.simulate && idle !== undefined) {
    throw refusal(provenance, [idle, 'simulate'], 'there are no shoppers that it could be for');
  }
}

/** Flags that say nothing without the simulator; in the environment they may stand all the same. */
const SIMULATOR_SETTINGS = ['backfillMs', 'users', 'ratePerSecond', 'seed'] as const;

/** The same for services of their own on Kafka, Redis and PostgreSQL. */
export function checkRun(loaded: LoadedConfig): void {
  checkServing(loaded);
  const { config, provenance } = loaded;
  const { sessionTimeoutMs, commitIntervalMs, kafkaProtocol } = config;
  if (sessionTimeoutMs < MIN_SESSION_TIMEOUT_MS || sessionTimeoutMs > MAX_SESSION_TIMEOUT_MS) {
    const message = '--session-timeout must be from 6s, which brokers take at least, to 30s';
    throw refusal(provenance, ['sessionTimeoutMs'], message);
  }
  if (commitIntervalMs * 4 > sessionTimeoutMs) {
    const message = '--commit-interval must be at most a quarter of --session-timeout';
    throw refusal(provenance, ['commitIntervalMs', 'sessionTimeoutMs'], message);
  }
  if (kafkaProtocol.startsWith('SASL') && (!config.kafkaUser || !config.kafkaPassword)) {
    const message = 'needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD';
    throw refusal(provenance, ['kafkaProtocol', 'kafkaUser'], message);
  }
  if ((config.kafkaCertificateFile === null) !== (config.kafkaKeyFile === null)) {
    const message = 'a certificate and its key go together: give both, or neither';
    throw refusal(provenance, ['kafkaCertificateFile', 'kafkaKeyFile'], message);
  }
  for (const [name, schemes] of URL_SCHEMES) {
    const value = config[name];
    if (value === null || (URL.canParse(value) && schemes.includes(new URL(value).protocol)))
      continue;
    throw refusal(provenance, [name], `must be a URL that begins with ${schemes[0]}//`);
  }
  if (config.prefix !== null && !/^[\w.-]{1,64}$/.test(config.prefix)) {
    const message = 'must be 1 to 64 letters, digits, dots, hyphens and underscores';
    throw refusal(provenance, ['prefix'], message);
  }
}

/** What brokers take without another setting of theirs; and what failing over must stay under. */
const MIN_SESSION_TIMEOUT_MS = 6000;
const MAX_SESSION_TIMEOUT_MS = 30_000;

const URL_SCHEMES: readonly (readonly [
  name: 'redisUrl' | 'databaseUrl' | 'advertisedUrl',
  schemes: readonly string[],
])[] = [
  ['redisUrl', ['redis:', 'rediss:']],
  ['databaseUrl', ['postgres:', 'postgresql:']],
  ['advertisedUrl', ['http:', 'https:']],
];

function checkServing({ config, provenance }: LoadedConfig): void {
  if (config.auth === 'token' && config.token === null && !isLoopback(config.host)) {
    const message = 'beyond loopback set LULL_TOKEN, or LULL_AUTH=none if you mean it';
    throw refusal(provenance, ['host'], message);
  }
  for (const origin of config.corsOrigins) {
    if (URL.parse(origin)?.origin === origin) continue;
    const message = `${origin} is no origin, which is a scheme, a host and perhaps a port`;
    throw refusal(provenance, ['corsOrigins'], message);
  }
  const lastTierMs = config.tiersMs.at(-1)!;
  const unsettledMs = config.gapMs + lastTierMs;
  if (config.retainSessionsMs < unsettledMs) {
    const message = `--retain-sessions must cover ${durationText(unsettledMs)}, gap and last tier`;
    throw refusal(provenance, ['retainSessionsMs', 'gapMs', 'tiersMs'], message);
  }
  if (config.backfillMs > lastTierMs) {
    const message = `--backfill reaches at most as far as the last tier, ${durationText(lastTierMs)}`;
    throw refusal(provenance, ['backfillMs', 'tiersMs'], message);
  }
}

/** A URL without the password in it, also one that is not written as it must be. */
export function withoutPassword(text: string): string {
  return text
    .replace(/^(\w+:\/\/[^/@:]*):.*@/, '$1:(hidden)@')
    .replace(/([?&]password=)[^&]*/gi, '$1(hidden)');
}

/** One line that names what was given, and what is wrong with it. */
function refusal(
  provenance: Record<SettingName, Provenance>,
  names: readonly SettingName[],
  message: string,
): LullError {
  const given = names.filter((name) => provenance[name].origin !== 'default');
  const places = given.map((name) => {
    const { kind, flag, env, secret } = settingOf(name);
    const { origin, text } = provenance[name];
    const shown = secret ? '(hidden)' : withoutPassword(text ?? '');
    if (origin !== 'flag') return `${env}=${shown}`;
    if (kind.placeholder !== '') return `${flag} ${shown}`;
    return shown === 'false' ? flag.replace('--', '--no-') : flag;
  });
  const byFlag = given.some((name) => provenance[name].origin === 'flag');
  return new LullError(
    byFlag ? 'wrong_usage' : 'invalid_setting',
    `${places.join(' ')}: ${message}`,
  );
}
