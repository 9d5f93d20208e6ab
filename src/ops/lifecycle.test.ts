/** The order, the bound and the answers of an orderly end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from './clock.ts';
import { Lifecycle } from './lifecycle.ts';
import { createLogger } from './logger.ts';

/** Sleeps last until `ring` is called, or until they are aborted. */
function handClock() {
  const { promise, resolve: ring } = Promise.withResolvers<void>();
  let sleeping = 0;
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    sleep: (_, signal) => {
      sleeping++;
      const aborted = new Promise<void>((resolve) =>
        signal?.addEventListener('abort', () => resolve()),
      );
      return Promise.race([promise, aborted]).finally(() => sleeping--);
    },
  };
  return { clock, ring, sleeping: () => sleeping };
}

function lifecycle(clock: Clock) {
  const lines: string[] = [];
  const logger = createLogger('error', { write: (line: string) => void lines.push(line) });
  return { lines, lifecycle: new Lifecycle(clock, logger, 1000) };
}

test('what was added last stops first, one after the other', async () => {
  const hand = handClock();
  const { lifecycle: life } = lifecycle(hand.clock);
  const order: string[] = [];
  life.add('log', () => void order.push('log'));
  life.add('server', async () => {
    order.push('server begins');
    await turn();
    order.push('server ends');
  });
  assert.equal(await life.stop(), true);
  assert.deepEqual(order, ['server begins', 'server ends', 'log']);
  await turn();
  assert.equal(hand.sleeping(), 0, 'the bound is let go of');
});

test('stopping twice stops once, and both hear of it', async () => {
  const { lifecycle: life } = lifecycle(handClock().clock);
  let count = 0;
  life.add('log', () => void count++);
  assert.equal(life.signal.aborted, false);
  assert.deepEqual(await Promise.all([life.stop(), life.stop(), life.stopped]), [true, true, true]);
  assert.equal(count, 1);
  assert.equal(life.signal.aborted, true);
});

test('a step that fails is told, and the others stop all the same', async () => {
  const { lifecycle: life, lines } = lifecycle(handClock().clock);
  let closed = false;
  life.add('log', () => {
    closed = true;
  });
  life.add('server', () => Promise.reject(new Error('socket gone')));
  assert.equal(await life.stop(), false);
  assert.equal(closed, true);
  assert.match(lines.join(''), /"step":"server".*socket gone/);
});

test('when the time is up, the rest is left behind and named', async () => {
  const hand = handClock();
  const { lifecycle: life, lines } = lifecycle(hand.clock);
  let closed = false;
  life.add('log', () => {
    closed = true;
  });
  life.add('server', () => new Promise(() => {}));
  const stopped = life.stop();
  hand.ring();
  assert.equal(await stopped, false);
  assert.equal(closed, false);
  assert.match(lines.join(''), /"step":"server".*not stopped in time/);
});
