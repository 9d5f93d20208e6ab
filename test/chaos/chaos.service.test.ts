/** The short set of faults: a processor, session-analytics, a broker killed; a zombie woken. */
import { test } from 'node:test';
import { unlessKafka } from '../support/kafka-broker.ts';
import { unlessPostgres } from '../support/postgres-server.ts';
import { unlessRedis } from '../support/redis-server.ts';
import { runChaos } from './chaos.ts';
import { SHORT_FAULTS } from './faults.ts';

const skip = unlessKafka() || unlessRedis() || unlessPostgres();

test('nothing is lost and nothing doubled, whatever is killed', {
  skip,
  timeout: 600_000,
}, async (t) => {
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  const faults = [...SHORT_FAULTS];
  const findings = await runChaos({
    seed,
    nextFault: () => faults.shift() ?? null,
    tell: (line) => t.diagnostic(line),
  });
  t.diagnostic(JSON.stringify(findings));
});
