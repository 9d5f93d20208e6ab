/** Server-sent events are the same however the stream is cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventFrames } from './event-frames.ts';

const STREAM =
  'retry: 2000\n\n: still here\n\nid: a\nevent: session\ndata: {"a":":"}\n\n' +
  'event: gone\ndata: 1\ndata: 2\n\ndata:bare\n\nevent: half';
const FRAMES = [
  { event: 'session', data: '{"a":":"}', id: 'a' },
  { event: 'gone', data: '1\n2', id: null },
  { event: 'message', data: 'bare', id: null },
];

test('whole, byte by byte, and cut anywhere', () => {
  assert.deepEqual(new EventFrames().push(STREAM), FRAMES);
  const frames = new EventFrames();
  assert.deepEqual(
    [...STREAM].flatMap((character) => frames.push(character)),
    FRAMES,
  );
  for (let cut = 0; cut <= STREAM.length; cut++) {
    const halves = new EventFrames();
    const found = [...halves.push(STREAM.slice(0, cut)), ...halves.push(STREAM.slice(cut))];
    assert.deepEqual(found, FRAMES, `cut at ${cut}`);
  }
});
