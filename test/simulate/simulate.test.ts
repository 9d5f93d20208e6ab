/**
 * The embedded loop on a virtual clock, crashed between every two of its steps, against the naive
 * model. `SIMULATE_SEED=17 SIMULATE_COUNT=1` runs one seed alone; the default is 5,000 from 1 on.
 */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { Tally } from './partition-model.ts';
import type { Share, ShareResult } from './simulate-worker.ts';
import { ALL_CRASHES } from './simulation.ts';

const FIRST_SEED = Number(process.env['SIMULATE_SEED'] ?? 1);
const COUNT = Number(process.env['SIMULATE_COUNT'] ?? 5000);
/** Below this some things need not have happened. */
const ENOUGH = 300;

const MUST_HAPPEN = [
  ...ALL_CRASHES,
  'power loss that took commits',
  'opened',
  'extended',
  'bridged',
  'amended',
  'duplicate',
  'late',
  'rejected',
  'sessions merged',
  'sessions amended',
  'sessions revived',
  'sessions capped by duration',
  'sessions capped by count',
  'sessions ended explicitly',
  'turns by the idle clock',
  'sent by silence and then grown',
  'looked at while at rest',
];

function run(share: Share): Promise<ShareResult> {
  const worker = new Worker(new URL('simulate-worker.ts', import.meta.url), { workerData: share });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** All seeds of a range, over the threads that there are. */
async function simulateAll(context: TestContext, count: number, selfDriven: boolean) {
  const stride = Math.min(availableParallelism(), 4);
  const endSeed = FIRST_SEED + count;
  const shares = Array.from({ length: stride }, (_, index) =>
    run({ firstSeed: FIRST_SEED + index, endSeed, stride, selfDriven }),
  );
  const tally: Tally = {};
  for (const result of await Promise.all(shares)) {
    for (const { seed, stack } of result.failures) {
      context.diagnostic(
        `again: SIMULATE_SEED=${seed} SIMULATE_COUNT=1 node --test test/simulate/simulate.test.ts`,
      );
      assert.fail(`seed ${seed}: ${stack}`);
    }
    for (const [what, times] of Object.entries(result.tally)) {
      tally[what] = (tally[what] ?? 0) + times;
    }
  }
  return tally;
}

test(`${COUNT} seeds from ${FIRST_SEED} on, led from turn to turn`, async (context) => {
  const tally = await simulateAll(context, COUNT, false);
  for (const what of Object.keys(tally).sort()) context.diagnostic(`${what}: ${tally[what]}`);
  if (COUNT < ENOUGH) return;
  for (const what of MUST_HAPPEN) assert.ok((tally[what] ?? 0) > 0, `it never came to: ${what}`);
});

const SELF_DRIVEN = Math.ceil(COUNT / 50);

test(`${SELF_DRIVEN} seeds from ${FIRST_SEED} on, as the loop drives itself`, async (context) => {
  await simulateAll(context, SELF_DRIVEN, true);
});
