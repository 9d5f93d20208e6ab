/** The state store on a real Kafka: the contract, and what deaths, zombies and brokers may do. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { type KafkaCluster, startKafka, unlessKafka } from '../../test/support/kafka-broker.ts';
import { Instance, newSystem } from '../../test/support/kafka-state.ts';
import { STATE_UNDER_TEST, stateContract } from './state.contract.ts';

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
});
