/** `npm run chaos -- --minutes 30 --seed N`: faults at random until the time is up. */
import { parseArgs } from 'node:util';
import { runChaos } from './chaos.ts';
import { ALL_FAULTS } from './faults.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const seed = Number(values.seed);
const durationMs = Number(values.minutes) * 60_000;
let endMs: number | null = null;
let faults = 0;

console.log(`seed ${seed}`);
const findings = await runChaos({
  seed,
  nextFault: (random) => {
    // The time runs from when everything was ready.
    endMs ??= performance.now() + durationMs;
    if (performance.now() > endMs) return null;
    // Each once before any comes by chance.
    const fault = ALL_FAULTS[faults] ?? ALL_FAULTS[Math.floor(random() * ALL_FAULTS.length)]!;
    faults++;
    return fault;
  },
  tell: (line) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`),
});
console.log(`${faults} faults, nothing lost, nothing doubled: ${JSON.stringify(findings)}`);
