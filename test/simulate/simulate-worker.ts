/** One thread's share of the seeds. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Tally } from './partition-model.ts';
import { simulate } from './simulation.ts';
import { loadSystem } from './system-code.ts';

export interface Share {
  readonly firstSeed: number;
  readonly endSeed: number;
  readonly stride: number;
  readonly selfDriven: boolean;
}

export interface ShareResult {
  readonly tally: Tally;
  readonly failures: readonly { readonly seed: number; readonly stack: string }[];
}

const MOST_FAILURES = 3;

const { firstSeed, endSeed, stride, selfDriven } = workerData as Share;
const code = await loadSystem();
const tally: Tally = {};
const failures: { seed: number; stack: string }[] = [];
for (let seed = firstSeed; seed < endSeed && failures.length < MOST_FAILURES; seed += stride) {
  try {
    for (const [what, times] of Object.entries(await simulate({ seed, code, selfDriven }))) {
      tally[what] = (tally[what] ?? 0) + times;
    }
  } catch (error) {
    failures.push({ seed, stack: String((error as Error).stack) });
  }
}
parentPort!.postMessage({ tally, failures } satisfies ShareResult);
