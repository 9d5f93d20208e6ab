/** The holes of exactly-once on a real Kafka, one by one: deaths, zombies, aborts, stale copies. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { initProducerIdV5 } from '@platformatic/kafka';
import { type KafkaCluster, startKafka, unlessKafka } from '../../test/support/kafka-broker.ts';
import { Instance, type KafkaSystem, newSystem } from '../../test/support/kafka-state.ts';
import { checkOutputs, checkUsers, userCommit } from '../../test/support/numbered-users.ts';
import { seededRandom } from '../../test/support/seeded-random.ts';
import { BatchSender } from '../kafka/batch-sender.ts';
import { Coordinator } from '../kafka/coordinator.ts';
import { CODE } from '../kafka/failure.ts';
import { BatchBuilder } from '../kafka/record-batch.ts';
import { TransactionAborted, Transactions } from '../kafka/transactions.ts';
import { readAll } from '../log/log.contract.ts';
import { Database } from './database.ts';
import { stateKey } from './keys.ts';
import { CommitAborted } from './state.ts';

const CHILD = join(import.meta.dirname, '../../test/support/kafka-state-child.ts');

interface Said {
  readonly assigned?: number[];
  readonly opened?: number[];
  readonly committed?: number;
  readonly aborted?: number;
  readonly isAborted?: boolean;
  readonly leftOpen?: number;
  readonly memberId?: string;
}

/** An instance in a process of its own. */
class Child {
  readonly said: Said[] = [];
  readonly process: ChildProcess;
  readonly ended: Promise<void>;
  #heard: () => void = () => {};

  constructor(system: KafkaSystem, directory: string) {
    const options = JSON.stringify({ system, directory });
    this.process = spawn(process.execPath, [CHILD, options], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.ended = new Promise((resolve) => this.process.once('exit', () => resolve()));
    createInterface({ input: this.process.stdout! }).on('line', (line) => {
      this.said.push(JSON.parse(line));
      this.#heard();
    });
  }

  tell(line: string): void {
    this.process.stdin!.write(`${line}\n`);
  }

  async until(matches: (said: Said) => boolean): Promise<Said> {
    for (;;) {
      const found = this.said.find(matches);
      if (found !== undefined) return found;
      const heard = new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
      await Promise.race([heard, this.ended]);
      if (this.process.exitCode !== null) throw new Error('the process has ended');
    }
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }
}

describe('state on Kafka: faults', { skip: unlessKafka() }, () => {
  let kafka: KafkaCluster;
  let parent: string;
  let folders = 0;
  const folder = () => join(parent, `${folders++}`);
  const all = { partitionCount: 2 };
  before(async () => {
    parent = await mkdtemp(join(tmpdir(), 'lull-faults-'));
    kafka = await startKafka();
  });
  after(async () => {
    await kafka?.stop();
    await rm(parent, { recursive: true });
  });

  /** What a test that fails leaves behind. */
  const running: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const stop of running.splice(0)) await stop();
  });
  const newInstance = async (system: KafkaSystem, directory: string, standbys = 0) => {
    const instance = await Instance.start({ system, directory, standbys });
    running.push(() => instance.close());
    return instance;
  };
  const newChild = (system: KafkaSystem, directory: string) => {
    const child = new Child(system, directory);
    running.push(() => child.kill());
    return child;
  };
  const start = async (system: KafkaSystem, directory: string, standbys = 0) => {
    const instance = await newInstance(system, directory, standbys);
    await instance.owning(2);
    await instance.openOwned();
    return instance;
  };
  const commitTo = async (instance: Instance, from: number, to: number) => {
    for (let number = from; number <= to; number++) {
      await instance.store.commit([0, 1].map((partition) => userCommit(partition, number)));
    }
  };
  /** That exactly the commits 1 to `number` count, and no others. */
  const check = async (instance: Instance, number: number) => {
    await instance.settled();
    for (const partition of [0, 1]) {
      await checkUsers(instance.store, partition, number);
      await checkOutputs(instance.store, partition, number);
    }
  };

  it('counts each commit once, whenever it is killed', async (t) => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1e6);
    t.diagnostic(`SEED=${seed}`);
    const random = seededRandom(seed);
    const system = newSystem(kafka, all);
    const directory = folder();
    let last = 0;
    for (let round = 0; round < 4; round++) {
      const child = newChild(system, directory);
      const { opened } = await child.until((said) => said.opened !== undefined);
      assert.equal(opened![0], opened![1], 'both partitions, or none');
      const acknowledged = last;
      assert.ok(opened![0]! >= acknowledged, `${opened} where ${acknowledged} was committed`);
      last = opened![0]!;
      for (let number = last + 1; number <= last + 200; number++) child.tell(`commit ${number}`);
      await child.until((said) => said.committed !== undefined);
      await sleep(random() * 300);
      await child.kill();
      last = Math.max(last, ...child.said.map(({ committed = 0 }) => committed));
    }
    const instance = await start(system, directory);
    const { nextOffset } = (await instance.store.open(0))!;
    assert.ok(nextOffset >= last);
    await check(instance, nextOffset);
    await instance.close();
  });

  it('has what was committed when its owner died before RocksDB had it', async () => {
    const system = newSystem(kafka, all);
    const directory = folder();
    const child = newChild(system, directory);
    await child.until((said) => said.opened !== undefined);
    for (const number of [1, 2, 3]) child.tell(`commit ${number}`);
    await child.until((said) => said.committed === 3);
    child.tell('die-before-write 4');
    await child.ended;
    const instance = await start(system, directory);
    assert.equal((await instance.store.open(0))!.nextOffset, 4);
    await check(instance, 4);
    await commitTo(instance, 5, 6);
    await check(instance, 6);
    await instance.close();
  });

  it('waits for what lies behind the last stable offset', async () => {
    const system = newSystem(kafka, all);
    const first = await start(system, folder());
    await commitTo(first, 1, 3);
    // Somebody's transaction without positions: OffsetFetch doesn't know of it.
    const transactionalId = `${system.prefix}other`;
    const builder = new BatchBuilder();
    builder.append(Buffer.from('ghost'), Buffer.from('never committed'));
    await leaveOpen(first, transactionalId, builder);
    await commitTo(first, 4, 4);
    await first.close();

    const second = await newInstance(system, folder());
    await second.owning(2);
    let isOpen = false;
    const opening = second.store.open(0).then((checkpoint) => {
      isOpen = true;
      return checkpoint;
    });
    await sleep(500);
    assert.equal(isOpen, false, 'the newest commit is not stable yet');
    await fence(second, transactionalId);
    assert.equal((await opening)!.nextOffset, 4);
    assert.deepEqual(await second.store.getMany(0, [Buffer.from('ghost')]), [null]);
    await second.store.open(1);
    await check(second, 4);
    await second.close();
  });

  it('forgets an aborted commit and all that were called after it, of the same users', async () => {
    const system = newSystem(kafka, all);
    const instance = await start(system, folder());
    await commitTo(instance, 1, 2);
    // As a new owner would, or a broker that has waited for too long.
    await fence(instance, instance.store.transactionalId);
    const commits = [3, 4, 5].map((number) => commitTo(instance, number, number));
    for (const outcome of await Promise.allSettled(commits)) {
      assert.equal(outcome.status, 'rejected');
      assert.ok(outcome.reason instanceof CommitAborted, `${outcome.reason}`);
    }
    await check(instance, 2);
    await assert.rejects(commitTo(instance, 3, 3), CommitAborted, 'nothing is opened yet');
    await instance.openOwned();
    assert.equal((await instance.store.open(0))!.nextOffset, 2);
    await commitTo(instance, 3, 4);
    await check(instance, 4);
    await instance.close();
  });

  it('is taken over from a process that was killed in a transaction, at once', async (t) => {
    const system = newSystem(kafka, all);
    const child = newChild(system, folder());
    await child.until((said) => said.opened !== undefined);
    child.tell('commit 1');
    await child.until((said) => said.committed === 1);
    const heir = await newInstance(system, folder(), 1);
    await heir.owning(1);
    await child.until(({ opened }) => opened?.length === 1);
    await heir.openOwned();
    // The broker would keep this one open for a quarter of an hour.
    child.tell('leave-open 2');
    await child.until((said) => said.leftOpen === 2);
    await child.kill();
    const killedMs = performance.now();
    const { predecessors } = await heir.owning(2);
    assert.equal(predecessors.length, 1);
    const ownedMs = performance.now();
    await heir.openOwned();
    const openedMs = performance.now();
    await check(heir, 1);
    await commitTo(heir, 2, 3);
    await check(heir, 3);
    const [assigned, opened] = [ownedMs - killedMs, openedMs - ownedMs].map(Math.round);
    t.diagnostic(`assigned ${assigned} ms after the kill, opened ${opened} ms later`);
    await heir.close();
  });

  it('refuses a zombie that wakes and closes sessions by the clock', async () => {
    const system = newSystem(kafka, all);
    const zombie = newChild(system, folder());
    await zombie.until((said) => said.opened !== undefined);
    for (const number of [1, 2, 3]) zombie.tell(`commit ${number}`);
    await zombie.until((said) => said.committed === 3);
    zombie.tell('idle 4 3');
    await zombie.until((said) => said.committed === 6);
    zombie.process.kill('SIGSTOP');
    const owner = await start(system, folder(), 1);
    // It was stopped at any moment: what counts is what the outputs say.
    await owner.settled();
    const last = owner.store.topic('sessions').endOffset(0);
    assert.ok(last > 0);
    const number = await lastOutput(owner);
    assert.ok(number >= 6);
    await check(owner, number);
    await commitTo(owner, number + 1, number + 3);
    zombie.process.kill('SIGCONT');
    const { isAborted } = await zombie.until((said) => said.aborted !== undefined);
    assert.equal(isAborted, true);
    await zombie.kill();
    await check(owner, number + 3);
    // It may have come to join again before it was killed.
    for (let isCommitted = false; !isCommitted; ) {
      await owner.owning(2);
      const committing = owner.openOwned().then(() => commitTo(owner, number + 4, number + 4));
      isCommitted = await committing.then(
        () => true,
        (error) => {
          assert.ok(error instanceof CommitAborted, `${error}`);
          return sleep(100, false);
        },
      );
    }
    await check(owner, number + 4);
    await owner.close();
  });

  it('is refused by the group alone when nobody has fenced it', async () => {
    const system = newSystem(kafka, all);
    const owner = await start(system, folder());
    await commitTo(owner, 1, 2);
    const { cluster, changelog, groupId, inputTopic } = owner;
    const transactionalId = `${system.prefix}zombie`;
    const zombie = new Transactions({ cluster, groupId, inputTopic, transactionalId });
    await zombie.begin();
    const { memberId, generation } = owner.assignments.at(-1)!;
    const builder = () => {
      const batch = new BatchBuilder();
      batch.append(Buffer.from('ghost'), Buffer.from('of a zombie'));
      return { topic: changelog.name, partition: 0, batches: [batch] };
    };
    // The position is the one that the group has already.
    const offsets = [{ partition: 0, offset: 2 }];
    for (const [member, code] of [
      [{ memberId, generation: generation - 1 }, CODE.illegalGeneration],
      [{ memberId: 'nobody', generation }, CODE.unknownMemberId],
    ] as const) {
      await assert.rejects(zombie.run({ member, offsets, writes: [builder()] }), (error) => {
        assert.ok(error instanceof TransactionAborted);
        assert.match(error.message, new RegExp(`${code}`));
        return true;
      });
    }
    await owner.openOwned();
    assert.deepEqual(await owner.store.getMany(0, [Buffer.from('ghost')]), [null]);
    await check(owner, 2);
    zombie.close();
    await owner.close();
  });

  it('begins anew where a copy is older than half of what deletions are kept for', async () => {
    const directory = folder();
    for (const [retentionMs, isKept] of [
      [3600_000, true],
      [400, false],
    ] as const) {
      const system = newSystem(kafka, { ...all, deleteRetentionMs: retentionMs });
      const own = join(directory, `${retentionMs}`);
      const first = await start(system, own);
      await commitTo(first, 1, 5);
      await first.close();
      // What a missed deletion leaves behind.
      const database = await Database.open(own);
      const ghost = stateKey(0, Buffer.from('ghost'));
      const put = (batch: { put(key: Buffer, value: Buffer): void }) => batch.put(ghost, ghost);
      await database.write(1, put, () => {});
      await database.close();
      await sleep(300);
      const again = await start(system, own);
      const [value] = await again.store.getMany(0, [Buffer.from('ghost')]);
      assert.equal(value !== null, isKept);
      await check(again, 5);
      await again.close();
    }
  });

  it('is restored whole where its folder is gone', async () => {
    const system = newSystem(kafka, all);
    const directory = folder();
    const first = await start(system, directory);
    await commitTo(first, 1, 20);
    await first.close();
    await rm(directory, { recursive: true });
    const again = await start(system, directory);
    assert.equal((await again.store.open(1))!.nextOffset, 20);
    await check(again, 20);
    await commitTo(again, 21, 22);
    await check(again, 22);
    await again.close();
  });

  it('is taken over by its standby copy, deadlines and all', async () => {
    const system = newSystem(kafka, all);
    const owner = await newInstance(system, folder(), 1);
    await owner.owning(2);
    const standby = await newInstance(system, folder(), 1);
    await Promise.all([owner.owning(1), standby.owning(1)]);
    await Promise.all([owner.openOwned(), standby.openOwned()]);
    const [partition] = owner.assignments.at(-1)!.owned;
    for (let number = 1; number <= 20; number++) {
      await owner.store.commit([userCommit(partition!, number)]);
    }
    const copied = owner.store.position(partition!);
    while ((standby.store.copies().get(partition!) ?? 0) < copied) await sleep(20);
    await checkUsers(standby.store, partition!, 20);
    while (standby.store.lagRecords(partition!) !== 0) await sleep(20);
    await owner.close();
    await standby.owning(2);
    assert.equal((await standby.store.open(partition!))!.nextOffset, 20);
    await checkUsers(standby.store, partition!, 20);
    await standby.store.commit([userCommit(partition!, 21)]);
    await checkUsers(standby.store, partition!, 21);
    await standby.close();
  });

  it('does not start where the group says another position than the changelog', async () => {
    const system = newSystem(kafka, all);
    const directory = folder();
    const first = await start(system, directory);
    await commitTo(first, 1, 5);
    await first.close();
    await kafka.tool('groups', [
      ...['--bootstrap-server', kafka.bootstrapServers, '--group', first.groupId],
      ...['--topic', `${first.inputTopic}:1`, '--reset-offsets', '--to-offset', '0', '--execute'],
    ]);
    const again = await newInstance(system, directory);
    await again.owning(2);
    assert.equal((await again.store.open(0))!.nextOffset, 5);
    await assert.rejects(again.store.open(1), (error: Error & { code: string }) => {
      assert.equal(error.code, 'changelog_mismatch');
      assert.match(error.message, /^partition 1 of .*user-events: .* is 0, that in .* 5$/);
      return true;
    });
    await again.close();
  });
});

/** A transaction of somebody else on the changelog, without positions. */
async function leaveOpen(
  { cluster, changelog }: Instance,
  transactionalId: string,
  builder: BatchBuilder,
): Promise<void> {
  const coordinator = new Coordinator(cluster, 'transaction', transactionalId, 'other end');
  const init = [transactionalId, 60_000, -1n, -1] as const;
  const producer = await cluster.retry(() => coordinator.call(initProducerIdV5.api, ...init));
  const stamp = { ...producer, baseSequence: 0, transactional: true };
  const batch = builder.seal({ stamp, timestampMs: Date.now() });
  const sender = new BatchSender({ cluster, lane: 'other', transactionalId });
  await sender.send({ topic: changelog.name, partition: 0, batch });
}

async function fence(
  { cluster, groupId, inputTopic }: Instance,
  transactionalId: string,
): Promise<void> {
  const own = `${transactionalId}-fencing`;
  const transactions = new Transactions({ cluster, groupId, inputTopic, transactionalId: own });
  await transactions.fence(transactionalId);
  transactions.close();
}

async function lastOutput({ store }: Instance): Promise<number> {
  const records = await readAll(store.topic('sessions'), 0);
  return Number(Buffer.from(records.at(-1)!.value).toString());
}
