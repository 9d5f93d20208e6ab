/** `lull simulate`: the shoppers' events to a file, standard output or a running system. */
import { randomInt } from 'node:crypto';
import type { Config } from '../config.ts';
import { LullError } from '../errors.ts';
import { systemClock } from '../ops/clock.ts';
import { Lifecycle } from '../ops/lifecycle.ts';
import { createLogger } from '../ops/logger.ts';
import { counted, Report } from '../ops/report.ts';
import type { SimulateOptions, SimulateTotals } from '../services/event-producer/simulate.ts';
import { choice, duration, text, time, whole } from '../setting.ts';
import { type Command, type CommandCall, optionValue } from './command.ts';

const TO = { flag: '--to', kind: text('url'), help: 'a running system to send the events to' };
const OUT = {
  flag: '--out',
  kind: text('file'),
  help: 'a file to write: .ndjson or .csv, also with .gz; without it, standard output',
};
const FORMAT = {
  flag: '--format',
  kind: choice(['ndjson', 'csv']),
  help: 'of standard output; default ndjson',
};
const FROM = {
  flag: '--from',
  kind: time(),
  help: 'when the events begin; default: 2026-01-01 in a file, now in a running system',
};
const DURATION = {
  flag: '--duration',
  kind: duration(),
  help: 'for how long; default: a day in a file, without end in a running system',
};
const EVENTS = { flag: '--events', kind: whole(1, 1e12), help: 'stop after this many' };

export const simulate: Command = {
  name: 'simulate',
  summary: "write simulated shoppers' events to a file or send them to a running system",
  settings: ['users', 'ratePerSecond', 'seed', 'token'],
  options: [TO, OUT, FORMAT, FROM, DURATION, EVENTS],
  run: async (call) => {
    const { config } = call.loaded;
    const lifecycle = new Lifecycle(systemClock, createLogger(config.logLevel), 0);
    lifecycle.stopOnSignals();
    const seed = config.seed ?? randomInt(2 ** 31);
    const report = new Report(process.stderr, systemClock);
    const totals = await run(call, config, {
      clock: systemClock,
      seed,
      users: config.users ?? undefined,
      rate: config.ratePerSecond ?? undefined,
      fromMs: optionValue(call, FROM),
      durationMs: optionValue(call, DURATION),
      events: optionValue(call, EVENTS),
      signal: lifecycle.signal,
      onProgress: ({ events, reachedMs, waitsFor }) => {
        const reached = reachedMs === null ? '' : `, up to ${new Date(reachedMs).toISOString()}`;
        report.progress(
          () => `${counted(events)} events${reached}${waitsFor ? `; ${waitsFor}` : ''}`,
        );
      },
    });
    const refused = totals.rejected === 0 ? '' : `, ${counted(totals.rejected)} of them refused`;
    report.line(`${counted(totals.events)} events${refused}; --seed ${seed} gives the same again`);
    return 0;
  },
};

async function run(
  call: CommandCall,
  config: Config,
  options: SimulateOptions,
): Promise<SimulateTotals> {
  const to = optionValue(call, TO);
  const out = optionValue(call, OUT);
  const format = optionValue(call, FORMAT);
  if ([to, out, format].filter((given) => given !== undefined).length > 1) {
    throw new LullError('wrong_usage', 'only one of --to, --out and --format can be given');
  }
  const producer = await import('../services/event-producer/simulate.ts');
  if (to !== undefined) {
    return producer.simulateToSystem({ url: to, token: config.token ?? undefined }, options);
  }
  if (out !== undefined) return producer.simulateToFile(out, options);
  return producer.simulateToStream(process.stdout, format ?? 'ndjson', options);
}
