/**
 * The core alone: events applied a second on one thread, from decoded events, against a plain loop.
 */
import { parseArgs } from 'node:util';
import { DEFAULT_DEFINITION } from '../src/core/definition.ts';
import type { Event } from '../src/core/event.ts';
import { Loader } from '../src/core/loader.ts';
import { Partition } from '../src/core/partition.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '2000000' },
    users: { type: 'string', default: '50000' },
    only: { type: 'string', default: '' },
  },
});
const EVENTS = Number(values.events);
const USERS = Number(values.users);
/** Decoded events that are used again and again, moved on in time. */
const POOL = Math.max(200_000, 4 * USERS);
const BATCH = 2000;
const COMMIT = 50_000;
const STEP_MS = (12 * 50_000) / USERS;

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

function makePool(): Mutable<Event>[] {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
  const types = ['PAGE_VIEW', 'PAGE_VIEW', 'PAGE_VIEW', 'CLICK', 'SEARCH', 'ADD_TO_CART'];
  const pages = Array.from({ length: 200 }, (_, index) => `/products/${index}`);
  return Array.from({ length: POOL }, (_, index) => {
    const type = types[Math.floor(random() * types.length)]!;
    const late = random() < 0.05 ? random() * 240_000 : 0;
    const cart = type === 'ADD_TO_CART';
    return {
      idHash: 0,
      userId: `user-${Math.floor(random() ** 2 * USERS)}`,
      eventType: type,
      timestamp: Math.floor(1.7e12 + index * STEP_MS - late),
      page: pages[Math.floor(random() * pages.length)]!,
      referrer: null,
      device: 'mobile',
      utmSource: null,
      utmMedium: null,
      utmCampaign: null,
      amountMicros: cart ? 59_900_000n : null,
      currency: cart ? 'EUR' : null,
    };
  });
}

/** CPU seconds of a loop that does the same work on any day: what the machine is worth now. */
function calibrate(): number {
  const start = process.cpuUsage();
  let sum = 0;
  for (let index = 0; index < 2e8; index++) sum = (sum + index * 7) | 0;
  return sum === 0.5 ? 0 : seconds(process.cpuUsage(start));
}

function seconds({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1e6;
}

/** `stored`: with users loaded and frozen as over a store, whose own cost is left out. */
function run(stored: boolean, tiersMs: readonly number[]): number {
  const definition = { ...DEFAULT_DEFINITION, tiersMs };
  const partition = new Partition({ definition, identity: { logId: 'log', partition: 0 }, stored });
  const loader = new Loader(partition);
  const records = new Map<string, Uint8Array>();
  const pool = makePool();
  const span = Math.floor(POOL * STEP_MS);
  const start = process.cpuUsage();
  for (let offset = 0; offset < EVENTS; offset += BATCH) {
    const end = Math.min(offset + BATCH, EVENTS);
    if (stored) load(loader, pool, offset, end, records);
    for (let at = offset; at < end; at++) {
      const event = pool[at % POOL]!;
      event.idHash = at + 1;
      partition.apply(event, at, null);
      event.timestamp += span;
    }
    partition.sweep(partition.clock, Number.POSITIVE_INFINITY);
    if (!stored) partition.takeSent();
    else if (end % COMMIT === 0) {
      const freeze = loader.freeze(partition.clock);
      for (const { key, value } of freeze.writes) {
        const name = Buffer.from(key).toString('latin1');
        if (value === null) records.delete(name);
        else records.set(name, value);
      }
      loader.committed(freeze);
    }
  }
  return seconds(process.cpuUsage(start));
}

function load(
  loader: Loader,
  pool: readonly Event[],
  offset: number,
  end: number,
  records: ReadonlyMap<string, Uint8Array>,
): void {
  for (;;) {
    const wants: Parameters<Loader['install']>[0][number][] = [];
    for (let at = offset; at < end; at++) {
      const event = pool[at % POOL]!;
      loader.want(event.userId, event.timestamp, wants);
    }
    if (wants.length === 0) return;
    loader.install(
      wants,
      wants.map(({ key }) => records.get(Buffer.from(key).toString('latin1')) ?? null),
    );
  }
}

const unit = calibrate();
console.log(`${EVENTS} events, ${USERS} users; calibration loop ${unit.toFixed(2)} CPU s`);
for (const [name, stored, tiersMs] of [
  ['in memory, one tier', false, [300_000]],
  ['over a store, one tier', true, [300_000]],
  ['over a store, three tiers', true, DEFAULT_DEFINITION.tiersMs],
] as const) {
  if (!name.includes(values.only)) continue;
  const cpu = run(stored, tiersMs);
  console.log(
    `${name.padEnd(28)} ${Math.round(EVENTS / cpu)} events/CPU s, ` +
      `${((cpu / EVENTS / unit) * 1e8).toFixed(1)} calibrated units an event`,
  );
}
