/** The embedded log: the contract, and what a disk may do to it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
