/** What every Topic and every TopicReader must do: one suite for all implementations. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { LogRecord, NewRecord, Topic, TopicReader } from './log.ts';

/** A reader under test, with a way to bring records into what it reads. */
export interface ReaderUnderTest {
  /** Of at least two partitions, and without records. */
  readonly reader: TopicReader;
  /** Resolves when the reader has them. */
  append(records: readonly NewRecord[]): Promise<unknown>;
  /** Stops and starts what is under the reader, without loss. */
  reopen(): Promise<TopicReader>;
  dispose(): Promise<void>;
}

export interface TopicUnderTest {
  /** Of at least two partitions, and without records. */
  readonly topic: Topic;
  /** Its records lie with a server: how much room they take isn't known here. */
  readonly isStoredElsewhere?: boolean;
  /** Opens again what was closed before. */
  reopen(): Promise<Topic>;
  dispose(): Promise<void>;
}

export function record(partition: number, key: string, value: string | Uint8Array): NewRecord {
  return { partition, key, value: typeof value === 'string' ? Buffer.from(value) : value };
}

/** A record as plain as can be: implementations keep more in theirs, and make parts late. */
function plain({ offset, arrivalMs, key, value }: LogRecord): LogRecord {
  return { offset, arrivalMs, key, value: Uint8Array.from(value) };
}

/** All records from an offset on, in reads of at most `maxBytes`. */
export async function readAll(
  reader: TopicReader,
  partition: number,
  fromOffset = 0,
  maxBytes = 1 << 20,
): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for (let offset = fromOffset; ; ) {
    const some = await reader.read(partition, offset, maxBytes);
    if (some.length === 0) return records;
    records.push(...some.map(plain));
    offset = some.at(-1)!.offset + 1;
  }
}

/** For comparing: partition and what went in. */
function content({ key, value }: { key: string; value: Uint8Array }): string {
  return `${key}=${Buffer.from(value).toString('hex')}`;
}

function numbered(partition: number, count: number, prefix = 'r'): NewRecord[] {
  return Array.from({ length: count }, (_, n) => record(partition, `k${n % 7}`, `${prefix}${n}`));
}

export function topicReaderContract(name: string, make: () => Promise<ReaderUnderTest>): void {
  describe(`${name}: TopicReader`, () => {
    let under: ReaderUnderTest;
    let reader: TopicReader;
    before(async () => {
      under = await make();
      reader = under.reader;
    });
    after(() => under.dispose());

    it('begins empty', async () => {
      assert.ok(reader.partitionCount >= 2);
      assert.ok(reader.logId.length > 0);
      for (let partition = 0; partition < reader.partitionCount; partition++) {
        assert.equal(reader.firstOffset(partition), reader.endOffset(partition));
        assert.deepEqual(await reader.read(partition, 0, 1000), []);
      }
    });

    it('keeps the order of each partition, with rising offsets and arrivals', async () => {
      const mixed = numbered(0, 50).flatMap((one, n) => [one, record(1, 'other', `${n}`)]);
      // In several calls, so that not all arrive at the same time.
      for (let from = 0; from < mixed.length; from += 20) {
        await under.append(mixed.slice(from, from + 20));
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      for (const partition of [0, 1]) {
        const records = await readAll(reader, partition);
        const wanted = mixed.filter((one) => one.partition === partition);
        assert.deepEqual(records.map(content), wanted.map(content));
        for (const [index, { offset, arrivalMs }] of records.entries()) {
          assert.ok(Number.isSafeInteger(offset) && Number.isFinite(arrivalMs));
          if (index === 0) continue;
          assert.ok(offset > records[index - 1]!.offset);
          assert.ok(arrivalMs >= records[index - 1]!.arrivalMs);
        }
        assert.equal(reader.firstOffset(partition), records[0]!.offset);
        assert.ok(reader.endOffset(partition) > records.at(-1)!.offset);
      }
    });

    it('reads from any offset on', async () => {
      const all = await readAll(reader, 0);
      for (const [index, { offset }] of all.entries()) {
        assert.deepEqual(await readAll(reader, 0, offset), all.slice(index));
      }
      assert.deepEqual(await readAll(reader, 0, -5), all, 'from below the first');
      assert.deepEqual(await reader.read(0, reader.endOffset(0), 1000), [], 'at the end');
      assert.deepEqual(await reader.read(0, reader.endOffset(0) + 9, 1000), [], 'past the end');
    });

    it('finds the first record that arrived at or after a time', async () => {
      for (const partition of [0, 1]) {
        const all = await readAll(reader, partition);
        for (const { arrivalMs } of all) {
          for (const timeMs of [arrivalMs - 1, arrivalMs, arrivalMs + 1]) {
            const wanted = all.find((one) => one.arrivalMs >= timeMs)?.offset;
            const found = await reader.offsetAt(partition, timeMs);
            // Where there are holes, several offsets lead to the same record.
            const [first] = await reader.read(partition, found, 1);
            assert.equal(first?.offset, wanted);
            assert.ok(found <= reader.endOffset(partition));
          }
        }
        assert.equal(await reader.offsetAt(partition, 0), reader.firstOffset(partition));
        assert.equal(await reader.offsetAt(partition, Infinity), reader.endOffset(partition));
      }
    });

    it('reads about maxBytes, and one record at least', async () => {
      const all = await readAll(reader, 0);
      assert.deepEqual(await readAll(reader, 0, 0, 1), all, 'a byte at a time');
      assert.equal((await reader.read(0, 0, 1)).length, 1);
      const value = Buffer.alloc(1000, 7);
      await under.append(Array.from({ length: 100 }, () => record(1, 'k', value)));
      const end = reader.endOffset(1);
      const some = await reader.read(1, end - 100, 10_000);
      assert.ok(some.length >= 5 && some.length <= 20, `${some.length} records of 1000 bytes`);
    });

    it('calls back after the end has moved, until it is told to stop', async () => {
      const ends: number[] = [];
      const before = reader.endOffset(0);
      const stop = reader.onAppend((partition) => {
        if (partition === 0) ends.push(reader.endOffset(0));
      });
      await under.append([record(0, 'k', 'one')]);
      await settled();
      assert.ok(ends.length > 0 && ends[0]! > before);
      await under.append([record(1, 'k', 'of another partition')]);
      await settled();
      const calls = ends.length;
      assert.equal(ends.at(-1), reader.endOffset(0));
      stop();
      await under.append([record(0, 'k', 'two')]);
      await settled();
      assert.equal(ends.length, calls);
    });

    it('gives back keys and values as they were', async () => {
      const odd = [
        record(0, '', ''),
        record(0, '', 'value without a key'),
        record(0, 'key without a value', ''),
        record(0, 'ünï-\u{1f600}-日本\u0000\ufeff', Buffer.from([0, 255, 10, 13, 128])),
        record(0, 'k'.repeat(1000), Buffer.alloc(1 << 20, 3)),
        record(0, 'after a large one', 'x'),
      ];
      const from = reader.endOffset(0);
      await under.append(odd);
      assert.deepEqual((await readAll(reader, 0, from)).map(content), odd.map(content));
    });

    it('serves any number of readers at once', async () => {
      const from = reader.endOffset(1);
      await under.append(numbered(1, 500));
      const once = await readAll(reader, 1, from, 100);
      const many = await Promise.all([50, 100, 500, 5000].map((n) => readAll(reader, 1, from, n)));
      for (const records of many) assert.deepEqual(records, once);
    });

    it('has everything again after a restart', async () => {
      const { logId, partitionCount } = reader;
      const had = await Promise.all([readAll(reader, 0), readAll(reader, 1)]);
      const ends = [reader.endOffset(0), reader.endOffset(1)];
      reader = await under.reopen();
      assert.equal(reader.logId, logId);
      assert.equal(reader.partitionCount, partitionCount);
      assert.deepEqual([reader.endOffset(0), reader.endOffset(1)], ends);
      assert.deepEqual(await Promise.all([readAll(reader, 0), readAll(reader, 1)]), had);
      await under.append([record(0, 'k', 'after the restart')]);
      const [added] = await readAll(reader, 0, ends[0]);
      assert.equal(content(added!), content(record(0, 'k', 'after the restart')));
      assert.ok(added!.arrivalMs >= had[0]!.at(-1)!.arrivalMs);
    });
  });
}

export function topicContract(name: string, make: () => Promise<TopicUnderTest>): void {
  topicReaderContract(name, async () => {
    const under = await make();
    let { topic } = under;
    return {
      reader: topic,
      append: (records) => topic.append(records),
      async reopen() {
        await topic.close();
        topic = await under.reopen();
        return topic;
      },
      dispose: () => under.dispose(),
    };
  });

  describe(`${name}: Topic`, () => {
    let under: TopicUnderTest;
    let topic: Topic;
    before(async () => {
      under = await make();
      topic = under.topic;
    });
    after(() => under.dispose());

    it('answers an append with the offset of each record, readable by then', async () => {
      assert.deepEqual(await topic.append([]), []);
      const mixed = numbered(0, 20).flatMap((one, n) => [one, record(1, 'other', `${n}`)]);
      const offsets = await topic.append(mixed);
      assert.equal(offsets.length, mixed.length);
      for (const [index, one] of mixed.entries()) {
        const [found] = await topic.read(one.partition, offsets[index]!, 1);
        assert.equal(found!.offset, offsets[index]);
        assert.equal(content(found!), content(one));
      }
    });

    it('appends concurrent calls in the order in which they were made', async () => {
      const from = topic.endOffset(0);
      const calls = Array.from({ length: 300 }, (_, call) => [
        record(0, `call ${call}`, 'first'),
        record(1, `call ${call}`, 'elsewhere'),
        record(0, `call ${call}`, 'second'),
      ]);
      const offsets = await Promise.all(calls.map((records) => topic.append(records)));
      const records = await readAll(topic, 0, from);
      const wanted = calls.flat().filter((one) => one.partition === 0);
      assert.deepEqual(records.map(content), wanted.map(content));
      const own = offsets.flatMap(([first, , second]) => [first, second]);
      assert.deepEqual(
        records.map((one) => one.offset),
        own,
      );
    });

    it('takes more calls at once than it writes at once', async () => {
      const from = topic.endOffset(1);
      const values = Array.from({ length: 10 }, (_, n) => Buffer.alloc(1 << 20, n));
      await Promise.all(values.map((value) => topic.append([record(1, 'k', value)])));
      const records = await readAll(topic, 1, from);
      assert.deepEqual(
        records.map(({ value }) => [value.length, value[0], value.at(-1)]),
        values.map((value) => [value.length, value[0], value[0]]),
      );
    });

    it('refuses a partition that it does not have', async () => {
      const beyond = [record(0, 'k', 'v'), record(topic.partitionCount, 'k', 'v')];
      const ends = [topic.endOffset(0), topic.endOffset(1)];
      await assert.rejects(topic.append(beyond), RangeError);
      await assert.rejects(topic.read(-1, 0, 10), RangeError);
      assert.throws(() => topic.endOffset(topic.partitionCount), RangeError);
      assert.deepEqual([topic.endOffset(0), topic.endOffset(1)], ends, 'nothing of it is there');
    });

    it('keeps what is not released, and its offsets', async () => {
      const offsets = await topic.append(numbered(0, 100, 'kept'));
      const kept = await readAll(topic, 0, offsets[50]);
      const others = await readAll(topic, 1);
      const releases = Array.from({ length: topic.partitionCount }, () => 0);
      releases[0] = offsets[50]!;
      await topic.release(releases);
      assert.ok(topic.firstOffset(0) <= offsets[50]!);
      assert.deepEqual(await readAll(topic, 0, offsets[50]), kept);
      assert.deepEqual(await readAll(topic, 1), others);
      await topic.release(
        Array.from({ length: topic.partitionCount }, (_, p) => topic.endOffset(p)),
      );
      const [next] = await topic.append([record(0, 'k', 'next')]);
      assert.equal(next, offsets.at(-1)! + 1);
      if (under.isStoredElsewhere !== true) assert.ok(topic.sizeBytes() > 0);
    });

    it('finishes appends under way before it closes, then refuses', async () => {
      const from = topic.endOffset(1);
      const appends = Array.from({ length: 50 }, (_, n) =>
        topic.append([...numbered(1, 9, `${n}-`), record(1, 'large', Buffer.alloc(200_000))]),
      );
      let answered = 0;
      for (const append of appends) void append.then(() => answered++);
      const closing = topic.close();
      await assert.rejects(topic.append(numbered(1, 1)), { code: 'log_closed' });
      await assert.rejects(topic.read(1, 0, 10), { code: 'log_closed' });
      await closing;
      assert.equal(answered, appends.length);
      await topic.close();
      topic = await under.reopen();
      assert.equal((await readAll(topic, 1, from)).length, 500);
    });

    it('goes on after a restart with offsets and arrivals where they were', async () => {
      const before = (await readAll(topic, 0)).at(-1)!;
      await topic.close();
      topic = await under.reopen();
      const [offset] = await topic.append([record(0, 'k', 'v')]);
      const [added] = await topic.read(0, offset!, 1);
      assert.ok(offset! > before.offset);
      assert.ok(added!.arrivalMs >= before.arrivalMs);
    });
  });
}

/** Callbacks of what has resolved may come a turn later. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
