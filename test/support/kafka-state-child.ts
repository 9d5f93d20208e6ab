/**
 * An instance of the state on Kafka in a process of its own, to be killed and suspended. It opens
 * what it is assigned, does what its lines of input say, and says in JSON lines what came of it.
 */
import { createInterface } from 'node:readline';
import { initProducerIdV5 } from '@platformatic/kafka';
import { BatchSender } from '../../src/kafka/batch-sender.ts';
import { Coordinator } from '../../src/kafka/coordinator.ts';
import { txnOffsetCommitV5 } from '../../src/kafka/transaction-requests.ts';
import { changelogBatches } from '../../src/state/changelog.ts';
import { LocalCopies } from '../../src/state/local-copies.ts';
import { CommitAborted } from '../../src/state/state.ts';
import { Instance } from './kafka-state.ts';
import { userCommit } from './numbered-users.ts';

/** Longer than any test, so that only a new owner ends the transaction. */
const LONG_TIMEOUT_MS = 900_000;

const { system, directory } = JSON.parse(process.argv[2]!);
const say = (what: object) => process.stdout.write(`${JSON.stringify(what)}\n`);

const instance = await Instance.start({
  system,
  directory,
  standbys: 1,
  onAssigned({ owned, memberId }) {
    say({ assigned: owned, memberId });
    Promise.all(owned.map((partition) => instance.store.open(partition))).then(
      (checkpoints) => say({ opened: checkpoints.map((each) => each?.nextOffset ?? 0) }),
      (error: Error) => say({ failed: error.message }),
    );
  },
});

/** Commits one number in every partition that is owned; `position` where it differs. */
async function commit(number: number, position = number): Promise<boolean> {
  const { owned } = instance.assignments.at(-1)!;
  const commits = owned.map((partition) => {
    const { checkpoint, ...rest } = userCommit(partition, number);
    return { ...rest, checkpoint: { ...checkpoint, nextOffset: position } };
  });
  try {
    await instance.store.commit(commits);
    say({ committed: number });
    return true;
  } catch (error) {
    say({ aborted: number, isAborted: error instanceof CommitAborted, why: String(error) });
    return false;
  }
}

/** Writes a commit and its positions, and leaves the transaction as it is. */
async function leaveOpen(number: number): Promise<void> {
  const { cluster, store, changelog, groupId, inputTopic } = instance;
  const { transactionalId } = store;
  const ending = new Coordinator(cluster, 'transaction', transactionalId, 'open end');
  const init = [transactionalId, LONG_TIMEOUT_MS, -1n, -1] as const;
  const producer = await cluster.retry(() => ending.call(initProducerIdV5.api, ...init));
  const sender = new BatchSender({ cluster, lane: 'open', transactionalId });
  const member = instance.assignments.at(-1)!;
  for (const partition of member.owned) {
    const [batch] = changelogBatches(userCommit(partition, number), transactionalId, changelog);
    const stamp = { ...producer, baseSequence: 0, transactional: true };
    const sealed = batch!.seal({ stamp, timestampMs: Date.now() });
    await sender.send({ topic: changelog.name, partition, batch: sealed });
  }
  const offsets = member.owned.map((partition) => ({ partition, offset: number }));
  const group = new Coordinator(cluster, 'group', groupId, 'open offsets');
  const send = [transactionalId, producer, groupId, member, inputTopic, offsets] as const;
  await cluster.retry(() => group.call(txnOffsetCommitV5, ...send));
  say({ leftOpen: number });
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command, first, second] = line.split(' ');
  const number = Number(first);
  if (command === 'commit') await commit(number, Number(second ?? number));
  else if (command === 'leave-open') await leaveOpen(number);
  else if (command === 'die-before-write') {
    // The transaction is committed, and RocksDB doesn't know.
    LocalCopies.prototype.write = async () => process.kill(process.pid, 'SIGKILL') as never;
    await commit(number);
  } else if (command === 'idle') {
    // Closes sessions by the clock until it is aborted, as a processor without input does.
    for (let next = number; await commit(next, Number(second)); next++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
