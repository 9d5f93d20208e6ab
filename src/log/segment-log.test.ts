/** The embedded log: the contract, and what a disk may do to it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { systemClock } from '../ops/clock.ts';
import { topicContract } from './log.contract.ts';
import { openSegmentLog } from './segment-log.ts';

for (const fsync of ['always', 'interval', 'never'] as const) {
  for (const segmentBytes of [64 << 20, 20_000]) {
    topicContract(`segment log, fsync ${fsync}, segments of ${segmentBytes}`, async () => {
      const directory = await mkdtemp(join(tmpdir(), 'lull-log-'));
      const options = { name: 'events', partitionCount: 3, fsync, clock: systemClock };
      const open = () => openSegmentLog({ ...options, directory, segmentBytes });
      let topic = await open();
      return {
        topic,
        async reopen() {
          topic = await open();
          return topic;
        },
        async dispose() {
          await topic.close();
          await rm(directory, { recursive: true });
        },
      };
    });
  }
}

it('says that its folder is unwritable when a file is in its place', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'lull-log-'));
  await writeFile(join(directory, 'data'), '');
  const options = {
    name: 'events',
    partitionCount: 3,
    fsync: 'always',
    clock: systemClock,
  } as const;
  for (const path of ['data', 'data/below']) {
    const opening = openSegmentLog({ ...options, directory: join(directory, path) });
    await assert.rejects(opening, { code: 'data_unwritable' });
  }
  await rm(directory, { recursive: true });
});
