/** Server-sent events: what readers are told, how they resume, and how slow ones are let go. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { makeSession, type OpenGateway, openGateway } from '../../../test/support/open-gateway.ts';
import type { SentRecord } from '../../core/output.ts';

let gateway: OpenGateway;
let listeners = 0;
before(async () => {
  gateway = await openGateway();
  const { live } = gateway;
  const onChange = live.onChange.bind(live);
  live.onChange = (listener) => {
    listeners++;
    const stop = onChange(listener);
    return () => {
      listeners--;
      stop();
    };
  };
});
after(() => gateway.close());

interface StreamEvent {
  readonly event: string;
  readonly id: string | null;
  readonly data: SentRecord & { code?: string; count?: number | null };
}

/** An open stream, read frame by frame. */
class Reader {
  readonly #response: Response;
  readonly #abort: AbortController;
  readonly #events: AsyncGenerator<StreamEvent>;
  comments = '';

  static async open(path: string, headers: Record<string, string> = {}, to = gateway) {
    const abort = new AbortController();
    const response = await fetch(`${to.url}${path}`, { headers, signal: abort.signal });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
    assert.equal(response.headers.get('cache-control'), 'no-store');
    return new Reader(response, abort);
  }

  private constructor(response: Response, abort: AbortController) {
    this.#response = response;
    this.#abort = abort;
    this.#events = this.#read();
  }

  async *#read(): AsyncGenerator<StreamEvent> {
    let text = '';
    for await (const chunk of this.#response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const frame = text.slice(0, end);
        text = text.slice(end + 2);
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(frame)?.[1] ?? null;
        const data = field('data');
        if (data === null) this.comments += `${frame}\n`;
        else yield { event: field('event')!, id: field('id'), data: JSON.parse(data) };
      }
    }
  }

  async next(): Promise<StreamEvent> {
    const { value, done } = await this.#events.next();
    assert.ok(!done, 'the stream has ended');
    return value;
  }

  close(): void {
    this.#abort.abort();
  }
}

/** Waits until so many streams are open. */
async function openStreams(count: number): Promise<void> {
  const line = new RegExp(`^lull_queue_depth\\{queue="stream_clients"\\} ${count}$`, 'm');
  while (!line.test(await gateway.metrics.text())) await setTimeout(5);
}
afterEach(() => openStreams(0));

const closedRecord = (sessionId: string, userId = 'user-1') =>
  makeSession({
    sessionId,
    userId,
    state: 'closed',
    revision: 1,
    tier: '5m',
    closeReason: 'inactivity',
  });

test('readers are told of live changes, of sent sessions, and of users that have none left', async () => {
  const reader = await Reader.open('/api/stream/sessions');
  await gateway.publish('user-1', makeSession());
  const live = await reader.next();
  assert.deepEqual([live.event, live.id, live.data], ['session', null, makeSession()]);
  assert.match(reader.comments, /^retry: \d+\n/);
  await gateway.send(closedRecord('s-1'));
  const sent = await reader.next();
  assert.deepEqual([sent.event, sent.data], ['session', closedRecord('s-1')]);
  assert.ok(sent.id !== null);
  await gateway.publish('user-1', null);
  const gone = await reader.next();
  assert.deepEqual([gone.event, gone.data], ['gone', { userId: 'user-1' }]);
  reader.close();
});

test('nothing is listened to while nobody reads', async () => {
  assert.equal(listeners, 0);
  const one = await Reader.open('/api/stream/sessions');
  const other = await Reader.open('/api/stream/sessions');
  assert.equal(listeners, 1);
  one.close();
  await openStreams(1);
  assert.equal(listeners, 1);
  other.close();
  await openStreams(0);
  assert.equal(listeners, 0);
});

test('a filter lets through what fits it', async () => {
  const reader = await Reader.open('/api/stream/sessions?state=closed,merged&minEvents=5');
  const merged: SentRecord = {
    sessionId: 'm',
    userId: 'u',
    state: 'merged',
    mergedInto: 's',
    revision: 2,
  };
  await gateway.publish('user-1', makeSession({ eventCount: 9 }));
  await gateway.send(merged);
  await gateway.send(closedRecord('too short'));
  await gateway.send({ ...closedRecord('fits'), eventCount: 5 });
  assert.equal((await reader.next()).data.sessionId, 'fits');
  reader.close();
  const all = await Reader.open('/api/stream/sessions?state=closed,merged');
  await gateway.send(merged);
  assert.deepEqual((await all.next()).data, merged);
  all.close();
});

test("a user's stream begins with the live session and tells of nobody else", async () => {
  await gateway.publish('mine', makeSession({ userId: 'mine', eventCount: 1 }));
  const reader = await Reader.open('/api/sessions/active/mine/stream');
  assert.deepEqual((await reader.next()).data, makeSession({ userId: 'mine' }));
  await gateway.publish('other', makeSession({ userId: 'other' }));
  await gateway.send(closedRecord('s', 'other'));
  await gateway.publish('mine', makeSession({ userId: 'mine', eventCount: 2 }));
  const { data } = await reader.next();
  assert.deepEqual(data, makeSession({ userId: 'mine', eventCount: 2 }));
  reader.close();
  const nobody = await Reader.open('/api/sessions/active/nobody/stream');
  assert.equal((await nobody.next()).event, 'gone');
  nobody.close();
});

test('changes of one user that come close together are told as the last one', async () => {
  const reader = await Reader.open('/api/stream/sessions');
  await gateway.publish('first', makeSession({ userId: 'first' }));
  await reader.next();
  for (let eventCount = 1; eventCount <= 50; eventCount++) {
    await gateway.publish('busy', makeSession({ userId: 'busy', eventCount }));
  }
  const { data } = await reader.next();
  assert.equal(data.state === 'merged' ? 0 : data.eventCount, 50);
  reader.close();
});

test('a reader that comes back gets what it missed, once and in order, then what is new', async () => {
  const first = await Reader.open('/api/stream/sessions?state=closed');
  await gateway.send(closedRecord('seen'));
  const { id } = await first.next();
  first.close();
  for (let index = 0; index < 300; index++) await gateway.send(closedRecord(`missed-${index}`));
  const again = await Reader.open('/api/stream/sessions?state=closed', { 'last-event-id': id! });
  for (let index = 0; index < 300; index++) {
    assert.equal((await again.next()).data.sessionId, `missed-${index}`);
  }
  await gateway.send(closedRecord('new'));
  assert.equal((await again.next()).data.sessionId, 'new');
  again.close();
});

test('an id that is not ours is answered by saying that something may be missing', async () => {
  const reader = await Reader.open('/api/stream/sessions', { 'last-event-id': 'nonsense' });
  const { event, data } = await reader.next();
  assert.deepEqual([event, data], ['skipped', { count: null }]);
  await gateway.send(closedRecord('after'));
  assert.equal((await reader.next()).data.sessionId, 'after');
  reader.close();
});

test('a reader that does not read is let go; the others are not disturbed', async () => {
  const { hostname, port } = new URL(gateway.url);
  const stuck = connect(Number(port), hostname);
  stuck.on('error', () => {});
  stuck.pause();
  stuck.write('GET /api/stream/sessions?state=closed HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const reader = await Reader.open('/api/stream/sessions?state=closed');
  const page = 'x'.repeat(200_000);
  await openStreams(2);
  try {
    let sent = 0;
    for (; (await gateway.metrics.text()).includes('"stream_clients"} 2'); sent++) {
      assert.ok(sent < 1000, 'the stuck reader is still there');
      await gateway.send({ ...closedRecord(`s-${sent}`), entryPage: page });
      assert.equal((await reader.next()).data.sessionId, `s-${sent}`);
      // It is let go at once, and cut off when it has had time to read why.
      await setTimeout(10);
    }
  } finally {
    stuck.destroy();
    reader.close();
  }
});

test('a comment every 15 s keeps a quiet stream open', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const reader = await Reader.open('/api/stream/sessions?state=closed');
  await openStreams(1);
  t.mock.timers.tick(14_999);
  await gateway.send(closedRecord('before'));
  await reader.next();
  assert.doesNotMatch(reader.comments, /still here/);
  t.mock.timers.tick(1);
  await gateway.send(closedRecord('after'));
  await reader.next();
  assert.match(reader.comments, /^: still here$/m);
  reader.close();
});

test('more changes than can be told are counted, but not those of a user watched alone', async () => {
  const all = await Reader.open('/api/stream/sessions?state=active');
  const own = await Reader.open('/api/sessions/active/watched/stream');
  await own.next();
  await openStreams(2);
  const users = Array.from({ length: 10_050 }, (_, index) => `crowd-${index}`);
  await Promise.all(
    [...users, 'watched'].map((userId) => gateway.publish(userId, makeSession({ userId }))),
  );
  assert.equal((await own.next()).data.userId, 'watched');
  let next = await all.next();
  while (next.event !== 'skipped') next = await all.next();
  assert.ok(next.data.count! >= 50 && next.data.count! < 10_050);
  all.close();
  own.close();
});

test('streams are bounded in number', async (t) => {
  const full = await openGateway({ maxStreams: 2 });
  t.after(() => full.close());
  const readers = [
    await Reader.open('/api/stream/sessions', {}, full),
    await Reader.open('/api/sessions/active/u/stream', {}, full),
  ];
  const refused = await fetch(`${full.url}/api/stream/sessions`);
  assert.equal(refused.status, 503);
  const { error } = (await refused.json()) as { error: { code: string } };
  assert.equal(error.code, 'too_many_streams');
  for (const reader of readers) reader.close();
});
