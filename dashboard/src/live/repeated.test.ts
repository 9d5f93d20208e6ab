/** Work that is wanted while it runs is done once more, later, and never beside itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Repeated } from './repeated.ts';

test('a storm of wants during a run is one more run, after the pause', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const runs: PromiseWithResolvers<void>[] = [];
  const repeated = new Repeated(() => {
    const run = Promise.withResolvers<void>();
    runs.push(run);
    return run.promise;
  }, 3000);
  repeated.want();
  for (let n = 0; n < 20; n++) repeated.want();
  assert.equal(runs.length, 1);
  runs[0]!.resolve();
  await turn();
  t.mock.timers.tick(2999);
  await turn();
  assert.equal(runs.length, 1);
  t.mock.timers.tick(1);
  await turn();
  assert.equal(runs.length, 2);
  runs[1]!.resolve();
  await turn();
  t.mock.timers.tick(3000);
  await turn();
  assert.equal(runs.length, 2, 'nobody wanted a third');
  repeated.want();
  assert.equal(runs.length, 3);
});

test('once it has ended, nothing runs any more, and a run under way is told', async () => {
  const signals: AbortSignal[] = [];
  const repeated = new Repeated(async (signal) => void signals.push(signal), 0);
  repeated.want();
  repeated.want();
  repeated.end();
  await turn();
  repeated.want();
  await turn();
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [true],
  );
});
