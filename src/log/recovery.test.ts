/** What a disk may do to the log: torn and flipped bytes, lost power, no room, failing syncs. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '../../test/support/seeded-random.ts';
import { SimulatedDisk } from '../../test/support/simulated-disk.ts';
import { systemClock } from '../ops/clock.ts';
import { readAll, record } from './log.contract.ts';
import type { NewRecord, Topic } from './log.ts';
import { openSegmentLog, type SegmentLog, type SegmentLogOptions } from './segment-log.ts';

const PARTITIONS = 3;
const FIRST = '/data/events/0000000001.log';

function open(disk: SimulatedDisk, options: Partial<SegmentLogOptions> = {}): Promise<SegmentLog> {
  return openSegmentLog({
    directory: '/data',
    name: 'events',
    partitionCount: PARTITIONS,
    fsync: 'always',
    clock: systemClock,
    files: options.files ?? disk.mount(),
    ...options,
  });
}

function newDisk(seed = 1): SimulatedDisk {
  return new SimulatedDisk(seededRandom(seed));
}

/** A call that goes to every partition. */
function call(name: string): NewRecord[] {
  return Array.from({ length: PARTITIONS }, (_, p) => record(p, `key ${name}`, `value of ${name}`));
}

async function keys(topic: Topic, partition = 0): Promise<string[]> {
  return (await readAll(topic, partition)).map((one) => one.key.slice(4));
}

/** A log of three calls whose process was killed, with the length of its file after each. */
async function killedLog(): Promise<{ disk: SimulatedDisk; lengths: number[] }> {
  const disk = newDisk();
  const topic = await open(disk);
  const lengths: number[] = [];
  for (const name of ['one', 'two', 'three']) {
    await topic.append(call(name));
    lengths.push(disk.content(FIRST).length);
  }
  disk.kill();
  return { disk, lengths };
}

async function goesOn(topic: SegmentLog, had: readonly string[]): Promise<void> {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    assert.equal(topic.endOffset(partition), had.length);
    assert.deepEqual(await keys(topic, partition), had);
  }
  assert.deepEqual(await topic.append(call('next')), Array(PARTITIONS).fill(had.length));
  assert.deepEqual(await keys(topic), [...had, 'next']);
}

describe('a torn or damaged end', () => {
  it('is cut off, wherever it is torn', async () => {
    const { disk, lengths } = await killedLog();
    const [, two, three] = lengths as [number, number, number];
    const whole = disk.content(FIRST);
    for (let length = two; length < three; length++) {
      const torn = disk.copy();
      torn.replace(FIRST, whole.subarray(0, length));
      const topic = await open(torn);
      const blockBytes = (three - two) / PARTITIONS;
      const whose = Math.floor((length - two) / blockBytes);
      assert.equal(topic.cutBytes, length - two - whose * blockBytes);
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const had = partition < whose ? ['one', 'two', 'three'] : ['one', 'two'];
        assert.deepEqual(await keys(topic, partition), had);
      }
      await topic.append(call('next'));
      torn.kill();
      const had = ['one', 'two', ...(whose > 0 ? ['three'] : []), 'next'];
      assert.deepEqual(await keys(await open(torn)), had);
    }
  });

  it('is cut off when a bit of the last write has flipped', async () => {
    const { disk, lengths } = await killedLog();
    const [, two, three] = lengths as [number, number, number];
    for (let at = two; at < three; at++) {
      const flipped = flip(disk, FIRST, at);
      const topic = await open(flipped);
      // Blocks of the last write before the damaged one are whole, those behind it go with it.
      const whose = Math.floor((at - two) / ((three - two) / PARTITIONS));
      assert.deepEqual(await keys(topic, PARTITIONS - 1), ['one', 'two']);
      assert.deepEqual(await keys(topic), ['one', 'two', ...(whose > 0 ? ['three'] : [])]);
      assert.ok(topic.cutBytes > 0);
    }
  });

  it('is refused when something is intact behind it that was written after a sync', async () => {
    const { disk, lengths } = await killedLog();
    for (let at = 0; at < lengths[1]!; at++) {
      const flipped = flip(disk, FIRST, at);
      await assert.rejects(open(flipped), { code: 'log_corrupt' }, `byte ${at}`);
      assert.equal(flipped.content(FIRST).length, lengths[2], 'and nothing is cut');
    }
  });

  it('may be a file that was only begun', async () => {
    const { disk } = await killedLog();
    const whole = disk.content(FIRST);
    const next = FIRST.replace('1.log', '2.log');
    // As left by a power loss in the middle of the first write to a new segment.
    const closed = disk.copy();
    await (await open(closed)).close();
    for (const length of [0, 1, 35, 60]) {
      const begun = closed.copy();
      await begun.mount().open(next, 'create');
      begun.replace(next, whole.subarray(0, length));
      await goesOn(await open(begun), ['one', 'two', 'three']);
    }
  });
});

describe('damage elsewhere', () => {
  it('of a sealed segment is met when it is read, and nothing wrong is served', async () => {
    const { disk } = await killedLog();
    await (await open(disk)).close();
    const right = await readAll(await open(disk), 1);
    for (let at = 0; at < disk.content(FIRST).length; at++) {
      const topic = await open(flip(disk, FIRST, at));
      const records = await readAll(topic, 1).catch((error) => {
        assert.equal(error.code, 'log_corrupt');
        return right;
      });
      assert.deepEqual(records, right, `byte ${at}`);
    }
  });

  it('of an index is mended from the segment', async () => {
    const { disk } = await killedLog();
    await (await open(disk)).close();
    const index = FIRST.replace('log', 'index');
    for (let at = 0; at < disk.content(index).length; at++) {
      await goesOn(await open(flip(disk, index, at)), ['one', 'two', 'three']);
    }
  });

  it('is met when the file is one of another log', async () => {
    const [disk, other] = [newDisk(), newDisk()];
    for (const one of [disk, other]) {
      const topic = await open(one);
      await topic.append(call('one'));
      await topic.close();
    }
    disk.replace(FIRST, other.content(FIRST));
    await assert.rejects(readAll(await open(disk), 0), { code: 'log_corrupt' });
    const index = FIRST.replace('.log', '.index');
    disk.replace(index, other.content(index));
    await assert.rejects(open(disk), { code: 'log_corrupt' });
  });

  it('is refused when a segment begins before the end of the one before it', async () => {
    const disk = newDisk();
    const topic = await open(disk);
    await topic.append(call('one'));
    const other = disk.copy();
    await (await open(other)).append(call('two'));
    await topic.append(call('three'));
    await topic.close();
    const second = FIRST.replace('1.log', '2.log');
    await disk.mount().open(second, 'create');
    disk.replace(second, other.content(second));
    await assert.rejects(open(disk), { code: 'log_corrupt' });
  });

  it('is refused: another length, a missing segment, a missing or foreign log.json', async () => {
    const disk = newDisk();
    const topic = await open(disk, { segmentBytes: 1 });
    for (const name of ['one', 'two', 'three']) await topic.append(call(name));
    await topic.close();
    const second = FIRST.replace('1.log', '2.log');
    const shorter = disk.copy();
    shorter.replace(second, disk.content(second).subarray(0, -1));
    await assert.rejects(open(shorter), { code: 'log_corrupt' });
    for (const missing of [second, '/data/events/log.json']) {
      const without = disk.copy();
      await without.mount().remove(missing);
      await assert.rejects(open(without), { code: 'log_corrupt' });
    }
    await assert.rejects(open(disk, { partitionCount: 4 }), { code: 'data_mismatch' });
    const foreign = disk.copy();
    const text = foreign.content('/data/events/log.json').toString();
    foreign.replace('/data/events/log.json', Buffer.from(text.replace('events', 'others')));
    await assert.rejects(open(foreign), { code: 'data_mismatch' });
    foreign.replace('/data/events/log.json', Buffer.from(text.slice(0, 20)));
    await assert.rejects(open(foreign), { code: 'log_corrupt' });
    await goesOn(await open(disk), ['one', 'two', 'three']);
  });
});

describe('a full disk', () => {
  it('refuses what has no room, wherever it ends, and goes on when there is room', async () => {
    const script = async (topic: Topic): Promise<string[]> => {
      const kept: string[] = [];
      for (const name of ['one', 'two', 'three', 'four']) {
        const isKept = await topic.append(call(name)).then(
          () => true,
          (error) => {
            assert.equal(error.code, 'disk_full', error.stack);
            return false;
          },
        );
        if (isKept) kept.push(name);
      }
      return kept;
    };
    const roomy = newDisk();
    await script(await open(roomy, { segmentBytes: 400 }));
    const size = roomy.paths().reduce((sum, path) => sum + roomy.content(path).length, 0);
    const least = roomy.content('/data/events/log.json').length;
    for (let capacity = least; capacity < size; capacity += 7) {
      const disk = newDisk();
      disk.capacityBytes = capacity;
      const topic = await open(disk, { segmentBytes: 400 });
      const kept = await script(topic);
      assert.ok(kept.length < 4);
      assert.deepEqual(await keys(topic), kept);
      disk.capacityBytes = Infinity;
      await goesOn(topic, kept);
      if (capacity % 2 === 0) await topic.close();
      else disk.kill();
      await goesOn(await open(disk), [...kept, 'next']);
    }
  });

  it('leaves nothing of what it refused in a sealed file, even when power is lost', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const disk = newDisk(seed);
      const topic = await open(disk);
      await topic.append(call('one'));
      disk.capacityBytes = disk.paths().reduce((sum, path) => sum + disk.content(path).length, 90);
      await assert.rejects(topic.append(call('two')), { code: 'disk_full' });
      disk.capacityBytes = Infinity;
      await topic.close();
      disk.cutPower();
      await goesOn(await open(disk), ['one']);
    }
  });

  it('closes without room for the index', async () => {
    const disk = newDisk();
    const topic = await open(disk);
    await topic.append(call('one'));
    disk.capacityBytes = 0;
    await topic.close();
    disk.capacityBytes = Infinity;
    await goesOn(await open(disk), ['one']);
  });
});

describe('a failing disk', () => {
  for (const operation of ['write', 'sync'] as const) {
    it(`stops the log for good when a ${operation} fails`, async () => {
      const disk = newDisk();
      const topic = await open(disk);
      await topic.append(call('one'));
      // Even ENOSPC: what a failed sync has dropped is not written by the next one (fsyncgate).
      disk.fail = (tried) =>
        tried === operation ? (operation === 'sync' ? 'ENOSPC' : 'EIO') : null;
      const failing = [topic.append(call('two')), topic.append(call('three'))];
      for (const append of failing) await assert.rejects(append, { code: 'log_failed' });
      disk.fail = () => null;
      await assert.rejects(topic.append(call('four')), { code: 'log_failed' });
      assert.deepEqual(await keys(topic), ['one'], 'what is durable can be read');
      await assert.rejects(topic.close(), { code: 'log_failed' });
      disk.cutPower();
      const after = await keys(await open(disk));
      assert.deepEqual(after.slice(0, 1), ['one']);
    });
  }

  it('says so when the folder can not be written', async () => {
    const disk = newDisk();
    disk.fail = (operation) => (operation === 'write' ? 'EROFS' : null);
    await assert.rejects(open(disk), { code: 'data_unwritable' });
  });
});

describe('lost power', () => {
  it('keeps the id of a log that was opened', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const disk = newDisk(seed);
      const { logId } = await open(disk);
      disk.cutPower();
      assert.equal((await open(disk)).logId, logId);
    }
  });

  it('loses nothing that was answered, in whichever operation it comes', async () => {
    const seed = Date.now() % 1e6;
    let crashes = 0;
    for (let operations = 1; ; operations++) {
      const disk = newDisk(seed + operations);
      const answered: string[] = [];
      const isDone = await run(disk, operations, answered);
      if (isDone) break;
      crashes++;
      const message = `seed ${seed}, power lost in operation ${operations}`;
      const topic = await open(disk, { segmentBytes: 500 });
      const found = await keys(topic);
      const first = topic.firstOffset(0);
      assert.ok(first <= Math.max(0, answered.length - 2), message);
      assert.deepEqual(found.slice(0, answered.length - first), answered.slice(first), message);
      assert.ok(found.length <= answered.length - first + 1, message);
      const [offset] = await topic.append(call('next'));
      assert.equal(offset, first + found.length, message);
      disk.cutPower();
      assert.deepEqual(await keys(await open(disk)), [...found, 'next'], message);
    }
    assert.ok(crashes > 50, `${crashes} crashes`);
  });

  /** Appends, releases and opens again; true when the power outlived it. */
  async function run(disk: SimulatedDisk, operations: number, answered: string[]) {
    try {
      const files = disk.mount();
      disk.cutPowerAfter(operations);
      for (let round = 0; round < 2; round++) {
        const topic = await open(disk, { segmentBytes: 500, files });
        for (let n = 0; n < 5; n++) {
          const name = `${round}-${n}`;
          await topic.append(call(name));
          answered.push(name);
          await topic.release(Array(PARTITIONS).fill(Math.max(0, answered.length - 2)));
        }
        await topic.close();
      }
      return true;
    } catch (error) {
      assert.match(String(error), /is gone/);
      return false;
    }
  }

  it('never gives an offset twice, even when answered records may be lost', async () => {
    const seed = Date.now() % 1e6;
    const sleep = () => new Promise<void>((resolve) => setImmediate(resolve));
    const clock = { ...systemClock, sleep };
    for (const fsync of ['interval', 'never'] as const) {
      let lost = 0;
      for (let crash = 0; crash < 40; crash++) {
        const message = `seed ${seed + crash}, fsync ${fsync}`;
        const disk = newDisk(seed + crash);
        const seen = new Map<number, string>();
        for (let round = 0; round < 4; round++) {
          const topic = await open(disk, { fsync, clock, segmentBytes: 2000 });
          for (const { offset, key } of await readAll(topic, 0)) {
            assert.equal(seen.get(offset), key, message);
          }
          for (let n = 0; n < 3; n++) {
            const [offset] = await topic.append(call(`${round}-${n}`));
            assert.ok(!seen.has(offset!), message);
            seen.set(offset!, `key ${round}-${n}`);
          }
          if (round === 2) await topic.close();
          disk.cutPower();
        }
        const topic = await open(disk, { fsync });
        lost += seen.size - (await readAll(topic, 0)).length;
        // The third process closed it, so all it had is there.
        assert.deepEqual((await keys(topic)).filter((key) => key.startsWith('2')).length, 3);
        await topic.close();
      }
      assert.ok(lost > 0, 'some records were lost');
    }
  });
});

describe('a bound on its size', () => {
  it('is kept: appends are refused until something is released', async () => {
    const disk = newDisk();
    const topic = await open(disk, { maxBytes: 20_000 });
    const large = [record(0, 'k', Buffer.alloc(1000))];
    const fill = async () => {
      for (let count = 0; ; count++) {
        const error = await topic.append(large).then(
          () => null,
          (reason) => reason,
        );
        assert.ok(topic.sizeBytes() <= 20_000);
        if (error === null) continue;
        assert.equal(error.code, 'log_full');
        return count;
      }
    };
    assert.ok((await fill()) >= 10);
    const end = topic.endOffset(0);
    await topic.release([Math.floor(end / 2), 0, 0]);
    assert.ok(topic.firstOffset(0) > 0 && topic.firstOffset(0) <= end / 2);
    assert.ok((await fill()) > 0);
    await topic.release([topic.endOffset(0), 0, 0]);
    assert.ok((await fill()) >= 10);
    await topic.close();
    const again = await open(disk, { maxBytes: 20_000 });
    assert.equal((await readAll(again, 0)).at(-1)!.offset, again.endOffset(0) - 1);
  });

  it('keeps the offsets when everything has been released', async () => {
    const disk = newDisk();
    const topic = await open(disk, { segmentBytes: 1 });
    for (const name of ['one', 'two', 'three']) await topic.append(call(name));
    await topic.release(Array(PARTITIONS).fill(3));
    await topic.close();
    const again = await open(disk);
    assert.equal(again.endOffset(1), 3);
    assert.equal((await again.append(call('four')))[1], 3);
  });

  it('deletes oldest first, so that power lost meanwhile leaves no gap', async () => {
    const seed = Date.now() % 1e6;
    for (let run = 0; run < 40; run++) {
      const disk = newDisk(seed + run);
      const topic = await open(disk, { segmentBytes: 1 });
      const names = ['one', 'two', 'three', 'four', 'five', 'six'];
      for (const name of names) await topic.append(call(name));
      disk.cutPowerAfter(run % 15);
      await assert.rejects(topic.release(Array(PARTITIONS).fill(5)), /is gone/);
      const again = await open(disk);
      const left = await keys(again);
      assert.deepEqual(left, names.slice(again.firstOffset(0)), `seed ${seed + run}`);
      assert.equal(left.at(-1), 'six', `seed ${seed + run}`);
    }
  });

  it('serves a reader that has fallen behind what was released', async () => {
    const disk = newDisk();
    const topic = await open(disk, { segmentBytes: 1 });
    for (const name of ['one', 'two', 'three']) await topic.append(call(name));
    await topic.close();
    const again = await open(disk, { segmentBytes: 1 });
    // The reader has found its segment, but opens the file only after that is gone.
    disk.fail = (operation, path) => (operation === 'open' && path === FIRST ? 'ENOENT' : null);
    const reading = readAll(again, 0);
    await again.release(Array(PARTITIONS).fill(2));
    const found = (await reading).map((one) => one.key);
    assert.ok(!found.includes('key one') && found.at(-1) === 'key three');
    assert.equal(again.firstOffset(0), 2);
  });
});

/** A copy with one bit of a file flipped: each time another. */
function flip(disk: SimulatedDisk, path: string, at: number): SimulatedDisk {
  const copy = disk.copy();
  const bytes = copy.content(path);
  bytes[at]! ^= 1 << (at % 8);
  copy.replace(path, bytes);
  return copy;
}
