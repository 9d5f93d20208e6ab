/** The state store on a real Kafka: the contract, and what deaths, zombies and brokers may do. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type KafkaCluster, startKafka, unlessKafka } from '../../test/support/kafka-broker.ts';
import { Instance, newSystem } from '../../test/support/kafka-state.ts';
import { readAll } from '../log/log.contract.ts';
import { commitOf, STATE_UNDER_TEST, stateContract } from './state.contract.ts';

describe('state on Kafka', { skip: unlessKafka() }, () => {
  let kafka: KafkaCluster;
  before(async () => {
    kafka = await startKafka();
  });
  after(() => kafka?.stop());

  stateContract(
    'Kafka',
    async () => {
      const directory = await mkdtemp(join(tmpdir(), 'lull-state-'));
      const system = newSystem(kafka, STATE_UNDER_TEST);
      let instance: Instance | null = null;
      const open = async () => {
        await instance?.close();
        instance = await Instance.start({ system, directory });
        await instance.owning(STATE_UNDER_TEST.partitionCount);
        return instance.store;
      };
      return {
        store: await open(),
        reopen: open,
        settled: () => instance!.settled(),
        async dispose() {
          await instance!.close();
          await rm(directory, { recursive: true });
        },
      };
    },
    { ownsOutputs: false, runs: 5 },
  );

  it('splits what is larger than brokers take, and is all or nothing still', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'lull-state-'));
    const system = newSystem(kafka, { maxBatchBytes: 1_048_588 });
    const value = (index: number) => Buffer.alloc(1000, index);
    const writes = Array.from({ length: 4000 }, (_, index) => {
      return { key: Buffer.from(`key-${index}`), value: value(index) };
    });
    const outputs = writes.map((_, index) => {
      return { topic: 'sessions', key: `${index}`, value: value(index) };
    });
    const commit = commitOf(1, { writes, outputs });
    const first = await Instance.start({ system, directory: join(directory, 'first') });
    await first.owning(3);
    await first.openOwned();
    await first.store.commit([commit]);
    const large = { key: Buffer.from('large'), value: Buffer.alloc(1_100_000) };
    const refused = first.store.commit([commitOf(1, { writes: [...writes, large] })]);
    await assert.rejects(refused, { code: 'record_too_large' });
    await first.settled();
    assert.equal((await readAll(first.store.topic('sessions'), 1)).length, 4000);
    await first.close();

    const again = await Instance.start({ system, directory: join(directory, 'again') });
    await again.owning(3);
    assert.deepEqual(await again.store.open(1), commit.checkpoint);
    const keys = [...writes.map(({ key }) => key), large.key];
    const values = await again.store.getMany(1, keys);
    assert.deepEqual(values, [...writes.map((write) => write.value), null]);
    await again.close();
    await rm(directory, { recursive: true });
  });
});
