/** `lull load-test`: a rate of events against a running system, and what comes of it. */
import { randomInt } from 'node:crypto';
import { LullError } from '../errors.ts';
import { systemClock } from '../ops/clock.ts';
import { Lifecycle } from '../ops/lifecycle.ts';
import { createLogger } from '../ops/logger.ts';
import { Report } from '../ops/report.ts';
import { decimal, duration, listOf, text, whole } from '../setting.ts';
import { type Command, optionValue } from './command.ts';

const TO = {
  flag: '--to',
  kind: text('url'),
  help: 'the running system; default http://localhost:8080',
};
const RATE = {
  flag: '--rate',
  kind: decimal(1, 1_000_000),
  help: 'events a second; default 1000',
};
const DURATION = {
  flag: '--duration',
  kind: duration(),
  help: 'how long that rate is held, once it is reached; default 60s',
};
const USERS = { flag: '--users', kind: whole(1, 1_000_000), help: 'who send them; default 500' };
const SERVICES = {
  flag: '--services',
  kind: listOf(text('url')),
  help: 'services on ports of their own; default: ports 8081 to 8083 beside 8080',
};
const NO_VERDICT = {
  flag: '--no-verdict',
  kind: { placeholder: '', wanted: 'nothing', parse: () => true },
  help: 'fail on errors and on lost or unseen events only, not on speed',
};

const MAX_RAMP_MS = 10_000;
/** The gap, after which a user's events would be of several sessions. */
const GAP_SECONDS = 1800;
/** The default bound of a session. */
const MAX_SESSION_EVENTS = 100_000;

export const loadTest: Command = {
  name: 'load-test',
  summary: 'send events at a rate to a running system, and see whether it keeps its promises',
  settings: ['token'],
  options: [TO, RATE, DURATION, USERS, SERVICES, NO_VERDICT],
  notes: `The rate is reached within 10 s, or a quarter of the duration. Users are new in each run.
Ends with 1 when a promise is not kept.`,
  run: async (call) => {
    const url = optionValue(call, TO) ?? 'http://localhost:8080';
    const plan = planOf(
      optionValue(call, RATE) ?? 1000,
      optionValue(call, USERS) ?? 500,
      optionValue(call, DURATION) ?? 60_000,
    );
    const lifecycle = new Lifecycle(systemClock, createLogger('warn'), 0);
    lifecycle.stopOnSignals();
    const report = new Report(process.stderr, systemClock);
    const { runLoadTest } = await import('../load-test/load-test.ts');
    const { linesOf } = await import('../load-test/report.ts');
    const result = await runLoadTest({
      ...plan,
      url,
      services: optionValue(call, SERVICES) ?? servicesBeside(url),
      token: call.loaded.config.token,
      clock: systemClock,
      signal: lifecycle.signal,
      onProgress: (line) => report.progress(line),
    });
    report.line(`${result.load.sent} events sent to ${url} as load-${plan.run}-…`);
    const lines = linesOf(result, plan);
    const isJudged = call.flags['verdict'] !== false;
    for (const { name, text, isGood } of lines) {
      const judged = isGood === null ? '     ' : isGood ? 'ok   ' : 'FAIL ';
      console.log(`${judged} ${name.padEnd(29)} ${text}`);
    }
    const failed = lines.filter(
      ({ isGood, isAboutData }) => isGood === false && (isJudged || isAboutData),
    );
    return failed.length === 0 ? 0 : 1;
  },
};

function planOf(eventsPerSecond: number, users: number, holdMs: number) {
  if (eventsPerSecond * GAP_SECONDS <= users) {
    throw new LullError('wrong_usage', '--rate and --users: fewer than an event in a gap each');
  }
  if ((eventsPerSecond * holdMs) / 1000 / users > MAX_SESSION_EVENTS * 0.9) {
    const message = '--duration: sessions would grow beyond 100,000 events; take more users';
    throw new LullError('wrong_usage', message);
  }
  const rampMs = Math.min(MAX_RAMP_MS, holdMs / 4);
  return { eventsPerSecond, users, rampMs, holdMs, run: randomInt(2 ** 31).toString(36) };
}

function servicesBeside(url: string): string[] {
  if (!URL.canParse(url) || new URL(url).port !== '8080') return [];
  return [8081, 8082, 8083].map((port) => {
    const beside = new URL(url);
    beside.port = String(port);
    return beside.href;
  });
}
