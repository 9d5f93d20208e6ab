/** What every StateStore must do: one suite for all implementations. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { topicReaderContract } from '../log/log.contract.ts';
import type { NewRecord } from '../log/log.ts';
import { openAll, runSteps, type StateUnderTest, stepsArbitrary } from './model.contract.ts';
import type {
  Checkpoint,
  DeadlineMove,
  OutputRecord,
  PartitionCommit,
  StateStore,
} from './state.ts';

/** What the store under test is opened with. */
export const STATE_UNDER_TEST = {
  partitionCount: 3,
  outputTopics: ['sessions', 'late-events'],
} as const;

export function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

export function commitOf(partition: number, changes: Partial<PartitionCommit>): PartitionCommit {
  const checkpoint: Checkpoint = { logId: 'log', nextOffset: 0, clockMs: 0 };
  return { partition, writes: [], deadlines: [], outputs: [], checkpoint, ...changes };
}

export interface StateContractOptions {
  /** Whether released outputs are deleted by the store, and offsets have no holes. */
  readonly ownsOutputs: boolean;
  /** Of the property. */
  readonly runs: number;
}

const { partitionCount } = STATE_UNDER_TEST;

const EMBEDDED: StateContractOptions = { ownsOutputs: true, runs: 60 };

export function stateContract(
  name: string,
  make: () => Promise<StateUnderTest>,
  { ownsOutputs, runs } = EMBEDDED,
): void {
  topicReaderContract(`${name}, its outputs`, async () => {
    const under = await make();
    let store = await openAll(under.store, partitionCount);
    return {
      reader: store.topic('sessions'),
      async append(records) {
        await store.commit(outputCommits(records));
        await under.settled?.();
      },
      async reopen() {
        await store.close();
        store = await openAll(await under.reopen(), partitionCount);
        return store.topic('sessions');
      },
      async dispose() {
        await store.close();
        await under.dispose();
      },
    };
  });

  describe(`${name}: StateStore`, () => {
    let under: StateUnderTest;
    let store: StateStore;
    const texts = async (partition: number, ...keys: string[]) => {
      const values = await store.getMany(partition, keys.map(bytes));
      return values.map((value) => value && Buffer.from(value).toString());
    };
    const put = (key: string, value: string | null) => ({
      key: bytes(key),
      value: value === null ? null : bytes(value),
    });
    const move = (userId: string, fromMinute: number | null, toMinute: number | null) =>
      ({ userId, fromMinute, toMinute }) satisfies DeadlineMove;
    const output = (topic: string, key: string, value: string) =>
      ({ topic, key, value: bytes(value) }) satisfies OutputRecord;
    const restart = async () => {
      await store.close();
      store = await openAll(await under.reopen(), partitionCount);
    };
    before(async () => {
      under = await make();
      store = await openAll(under.store, partitionCount);
    });
    after(async () => {
      await store.close();
      await under.dispose();
    });

    it('begins empty', async () => {
      assert.equal(await store.open(0), null);
      assert.deepEqual(await texts(0, 'a'), [null]);
      assert.deepEqual(await store.getMany(0, []), []);
      assert.deepEqual(await store.dueUsers(0, null, 1e9, 10), []);
      assert.deepEqual(await store.sync(), new Map());
    });

    it('keeps checkpoints apart by partition, a clock that has not begun included', async () => {
      const first = { logId: 'log', nextOffset: 7, clockMs: Number.NEGATIVE_INFINITY };
      const second = { logId: 'other', nextOffset: 2 ** 45, clockMs: 1_795_428_000_123 };
      await store.commit([commitOf(0, { checkpoint: first }), commitOf(2, { checkpoint: second })]);
      for (const again of [false, true]) {
        if (again) await restart();
        assert.deepEqual(await store.open(0), first);
        assert.equal(await store.open(1), null);
        assert.deepEqual(await store.open(2), second);
      }
      assert.deepEqual(
        await store.sync(),
        new Map([
          [0, 7],
          [2, 2 ** 45],
        ]),
      );
    });

    it('writes, rewrites and deletes, in each partition its own', async () => {
      await store.commit([
        commitOf(0, { writes: [put('a', '1'), put('b', '2'), put('', 'empty key')] }),
        commitOf(1, { writes: [put('a', 'elsewhere')] }),
      ]);
      assert.deepEqual(await texts(0, 'b', 'missing', 'a', ''), ['2', null, '1', 'empty key']);
      await store.commit([commitOf(0, { writes: [put('a', null), put('b', ''), put('c', null)] })]);
      for (const again of [false, true]) {
        if (again) await restart();
        assert.deepEqual(await texts(0, 'a', 'b', 'c'), [null, '', null]);
        assert.deepEqual(await texts(1, 'a', 'b'), ['elsewhere', null]);
      }
    });

    it('applies commits in the order of the calls, at positions that rise', async () => {
      const calls = Array.from({ length: 50 }, (_, n) =>
        store.commit([commitOf(0, { writes: [put('last', `${n}`), put(`own ${n}`, 'x')] })]),
      );
      const positions = (await Promise.all(calls)).flat();
      assert.equal(positions.length, calls.length);
      assert.deepEqual(await texts(0, 'last', 'own 0', 'own 49'), ['49', 'x', 'x']);
      assert.deepEqual(
        positions,
        [...new Set(positions)].sort((a, b) => a - b),
      );
      await restart();
      await store.open(0);
      assert.equal(store.position(0), positions.at(-1));
      const [next] = await store.commit([commitOf(0, {})]);
      assert.ok(next! > positions.at(-1)!, 'after a restart as well');
      assert.equal(store.position(0), next);
      assert.deepEqual(await store.commit([]), []);
    });

    it('keeps users by deadline: by minute, then by user, after a place, up to a limit', async () => {
      const users = ['b', 'a', 'ä', '\u{1f600}', '\uffee'];
      await store.commit([
        commitOf(0, { deadlines: users.map((user) => move(user, null, 20)) }),
        commitOf(1, { deadlines: [move('other', null, 1)] }),
      ]);
      await store.commit([
        commitOf(0, { deadlines: [move('early', null, 10), move('late', null, 300)] }),
      ]);
      const entry = (minute: number, userId: string) => ({ minute, userId });
      const due = [
        entry(10, 'early'),
        // By their bytes, as the index has them: UTF-16 would put the last two the other way.
        ...['a', 'b', 'ä', '\uffee', '\u{1f600}'].map((user) => entry(20, user)),
      ];
      assert.deepEqual(await store.dueUsers(0, null, 299, 100), due);
      assert.deepEqual(await store.dueUsers(0, null, 300, 100), [...due, entry(300, 'late')]);
      assert.deepEqual(await store.dueUsers(0, null, 19, 100), due.slice(0, 1));
      assert.deepEqual(await store.dueUsers(0, null, 9, 100), []);
      assert.deepEqual(await store.dueUsers(0, null, 20, 2), due.slice(0, 2));
      assert.deepEqual(await store.dueUsers(0, due[1]!, 20, 2), due.slice(2, 4));
      assert.deepEqual(await store.dueUsers(0, entry(20, 'aa'), 20, 2), due.slice(2, 4));
      assert.deepEqual(await store.dueUsers(0, entry(20, '\u{1f600}'), 20, 2), []);
      assert.deepEqual(await store.dueUsers(0, entry(21, 'x'), 20, 2), []);
      assert.deepEqual(await store.dueUsers(0, null, 20, 0), []);
      assert.deepEqual(await store.dueUsers(1, null, 100, 100), [entry(1, 'other')]);
    });

    it('moves and removes deadline entries', async () => {
      const deadlines = [move('early', 10, 400), move('late', 300, null), move('a', 20, 20)];
      await store.commit([commitOf(0, { deadlines })]);
      for (const again of [false, true]) {
        if (again) await restart();
        const due = await store.dueUsers(0, null, 1000, 100);
        const users = due.map(({ minute, userId }) => `${minute} ${userId}`);
        assert.deepEqual(users, ['20 a', '20 b', '20 ä', '20 \uffee', '20 \u{1f600}', '400 early']);
      }
    });

    it('scans what begins with a prefix, in byte order', async () => {
      const keys = [[1, 255], [1, 255, 0], [1, 255, 255], [2], [1], [1, 0], [255], [255, 255], []];
      const writes = keys.map((key) => ({ key: Uint8Array.from(key), value: bytes(`${key}`) }));
      await store.commit([commitOf(2, { writes }), commitOf(1, { writes: [put('no', 'no')] })]);
      const found = async (...prefix: number[]) => {
        const values: string[] = [];
        for await (const { key, value } of store.scan(2, Uint8Array.from(prefix))) {
          assert.equal(`${[...key]}`, Buffer.from(value).toString());
          values.push(`${[...key]}`);
        }
        return values;
      };
      assert.deepEqual(await found(1), ['1', '1,0', '1,255', '1,255,0', '1,255,255']);
      assert.deepEqual(await found(1, 255), ['1,255', '1,255,0', '1,255,255']);
      assert.deepEqual(await found(255), ['255', '255,255']);
      assert.deepEqual(await found(3), []);
      assert.equal((await found()).length, keys.length);
      for await (const { key } of store.scan(2, new Uint8Array(0))) {
        assert.equal(key.length, 0);
        break;
      }
    });

    it('shows outputs once their commit is done, topic by topic', async () => {
      const sessions = store.topic('sessions');
      const late = store.topic('late-events');
      assert.notEqual(sessions.logId, late.logId);
      assert.equal(sessions.partitionCount, STATE_UNDER_TEST.partitionCount);
      const committing = store.commit([
        commitOf(1, {
          writes: [put('with', 'outputs')],
          outputs: [
            output('sessions', 'k', '1'),
            output('late-events', 'k', 'l'),
            output('sessions', 'k', '2'),
          ],
        }),
      ]);
      assert.equal(sessions.endOffset(1), 0);
      assert.deepEqual(await sessions.read(1, 0, 1000), []);
      await committing;
      await under.settled?.();
      assert.ok(sessions.endOffset(1) >= 2 && late.endOffset(1) >= 1);
      assert.equal(late.endOffset(0), 0);
      const read = await sessions.read(1, 0, 1000);
      assert.deepEqual(
        read.map(({ offset }) => offset),
        [0, 1],
      );
      assert.deepEqual(
        read.map(({ value }) => Buffer.from(value).toString()),
        ['1', '2'],
      );
      assert.deepEqual(await texts(1, 'with'), ['outputs']);
      assert.equal((await late.read(1, 0, 1000)).length, 1);
      assert.throws(() => store.topic('unheard-of'));
    });

    it('commits even though a listener of its outputs throws', async () => {
      const heard: number[] = [];
      const sessions = store.topic('sessions');
      const stops = [
        sessions.onAppend(() => {
          throw new Error('expected: a listener with a defect');
        }),
        sessions.onAppend((partition) => heard.push(partition)),
      ];
      await store.commit([commitOf(2, { outputs: [output('sessions', 'k', 'heard')] })]);
      await under.settled?.();
      for (const stop of stops) stop();
      assert.ok(heard.length > 0 && heard.every((partition) => partition === 2), `${heard}`);
      assert.ok(sessions.endOffset(2) >= 1);
    });

    const itOwning = ownsOutputs ? it : () => {};
    itOwning('lets go of outputs that are released, and of nothing else', async () => {
      const sessions = store.topic('sessions');
      const outputs = Array.from({ length: 100 }, (_, n) => output('sessions', 'k', `${n}`));
      await store.commit([commitOf(0, { outputs }), commitOf(1, { outputs })]);
      const end = sessions.endOffset(1);
      await store.releaseOutputs('sessions', [40, end + 50, 0]);
      await store.releaseOutputs('sessions', [39, 0, 0]);
      for (const again of [false, true]) {
        if (again) await restart();
        const topic = store.topic('sessions');
        assert.deepEqual([topic.firstOffset(0), topic.endOffset(0)], [40, 100]);
        assert.equal((await topic.read(0, 0, 1))[0]!.offset, 40);
        assert.equal((await topic.read(0, 0, 1e9)).length, 60);
        assert.deepEqual([topic.firstOffset(1), topic.endOffset(1)], [end, end]);
        assert.deepEqual(await topic.read(1, 0, 1e9), []);
        assert.equal(topic.firstOffset(2), 0);
      }
      await store.commit([commitOf(1, { outputs: [output('sessions', 'k', 'next')] })]);
      assert.equal((await store.topic('sessions').read(1, 0, 1e9))[0]!.offset, end);
    });

    it('refuses a commit that makes no sense, and takes the next one', async () => {
      const nothing = commitOf(0, {});
      await assert.rejects(store.commit([nothing, nothing]));
      await assert.rejects(store.commit([commitOf(3, {})]), RangeError);
      const outputs = [output('unheard-of', 'k', 'v')];
      await assert.rejects(store.commit([commitOf(0, { writes: [put('no', '!')], outputs })]));
      await store.commit([nothing]);
      assert.deepEqual(await texts(0, 'no'), [null]);
    });

    it('says up to which input offset everything would survive', async () => {
      const at = (nextOffset: number) =>
        commitOf(0, { checkpoint: { logId: 'log', nextOffset, clockMs: 0 } });
      await store.commit([at(100)]);
      assert.equal((await store.sync()).get(0), 100);
      const later = store.commit([at(200)]);
      const offset = (await store.sync()).get(0);
      await later;
      assert.ok(offset === 100 || offset === 200);
      assert.equal((await store.sync()).get(0), 200);
    });

    it('finishes commits under way before it closes, then refuses', async () => {
      const commits = Array.from({ length: 20 }, (_, n) =>
        store.commit([commitOf(0, { writes: [put('closing', `${n}`)] })]),
      );
      await store.close();
      await Promise.all(commits);
      await assert.rejects(store.commit([commitOf(0, {})]), { code: 'log_closed' });
      await assert.rejects(store.getMany(0, [bytes('a')]), { code: 'log_closed' });
      await store.close();
      store = await openAll(await under.reopen(), partitionCount);
      assert.deepEqual(await texts(0, 'closing'), ['19']);
      assert.ok((await store.sizeBytes()) > 0);
    });
  });

  it(`${name}: does what a naive model does, whatever comes`, async () => {
    await fc.assert(
      fc.asyncProperty(stepsArbitrary(STATE_UNDER_TEST, ownsOutputs), async (steps) => {
        const under = await make();
        try {
          await runSteps(steps, under, partitionCount);
        } finally {
          await under.dispose();
        }
      }),
      { numRuns: runs },
    );
  });
}

function outputCommits(records: readonly NewRecord[]): PartitionCommit[] {
  const outputs = new Map<number, OutputRecord[]>();
  for (const { partition, key, value } of records) {
    const own = outputs.get(partition) ?? [];
    outputs.set(partition, [...own, { topic: 'sessions', key, value }]);
  }
  return [...outputs].map(([partition, own]) => commitOf(partition, { outputs: own }));
}
