/** POST /api/events over real HTTP into a real log: what is taken, what is refused and how. */
import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type OpenGateway, openGateway } from '../../../test/support/open-gateway.ts';
import { partitionOf } from '../../core/hash.ts';
import { LullError } from '../../errors.ts';
import type { Topic } from '../../log/log.ts';
import { systemClock } from '../../ops/clock.ts';
import { MAX_BODY_BYTES, MAX_EVENT_BYTES } from './collector.ts';
import type { IntakeClosed } from './options.ts';

let gateway: OpenGateway;
let closed: IntakeClosed | null = null;
before(async () => {
  gateway = await openGateway({ intake: () => closed });
});
after(() => gateway.close());

const NOW = new Date().toISOString();
let users = 0;

function makeEvent(fields: Record<string, unknown> = {}): Record<string, unknown> {
  const userId = `user-${users++}`;
  return { eventId: 'e-1', userId, eventType: 'PAGE_VIEW', timestamp: NOW, ...fields };
}

async function post(body: string | Buffer, headers: Record<string, string> = {}, to = gateway) {
  const response = await fetch(`${to.url}/api/events`, {
    method: 'POST',
    body: new Uint8Array(Buffer.from(body)),
    headers,
  });
  const json = (await response.json()) as {
    accepted: number;
    rejected: { index: number; code: string; message: string; hint: string }[];
    position: string;
    error: { code: string; message: string; hint: string };
  };
  return { status: response.status, headers: response.headers, ...json };
}

/** The log, but for what becomes of an append. */
function topicThatAppends(append: Topic['append']): Topic {
  return Object.assign(Object.create(gateway.events) as Topic, { append, close: async () => {} });
}

/** What the log holds of a user, as text. */
async function logged(userId: unknown): Promise<string[]> {
  const partition = partitionOf(String(userId), gateway.events.partitionCount);
  const records = await gateway.events.read(partition, 0, 1e9);
  return records
    .filter(({ key }) => key === userId)
    .map(({ value }) => Buffer.from(value).toString());
}

for (const type of [
  'application/json',
  'application/x-ndjson',
  'text/plain',
  'what/ever; a=b',
  '',
]) {
  test(`one event of content type "${type}" is in the log, as it was sent, when it is answered`, async () => {
    const event = makeEvent({ unknown: { kept: [1, 2] } });
    const text = JSON.stringify(event, null, 1).replaceAll('\n', ' ');
    const answer = await post(text, type === '' ? {} : { 'content-type': type });
    assert.equal(answer.status, 202);
    assert.equal(answer.accepted, 1);
    assert.deepEqual(answer.rejected, []);
    assert.deepEqual(await logged(event['userId']), [text]);
  });
}

test('an event without id, or with null, gets one that differs each time', async () => {
  const userId = `user-${users++}`;
  const bare = { userId, eventType: 'CLICK', timestamp: NOW };
  const answer = await post(JSON.stringify([bare, bare, { ...bare, eventId: null }]));
  assert.equal(answer.accepted, 3);
  const ids = (await logged(userId)).map((text) => JSON.parse(text).eventId);
  for (const id of ids) assert.match(id, /^[0-9a-f-]{36}$/);
  assert.equal(new Set(ids).size, 3);
});

test('arrays and lines, gzipped or not, give the same', async () => {
  const gzip = { 'content-encoding': 'gzip' };
  for (const [headers, pack] of [
    [{}, (text: string) => Buffer.from(text)],
    [gzip, (text: string) => gzipSync(text)],
    [{}, (text: string) => gzipSync(text)],
  ] as const) {
    const events = [makeEvent(), makeEvent({ userId: 'Zoë 👟' }), makeEvent()];
    const lines = events.map((event) => JSON.stringify(event)).join('\n');
    for (const body of [JSON.stringify(events), lines]) {
      const before = (await logged('Zoë 👟')).length;
      const answer = await post(pack(body), headers);
      assert.deepEqual([answer.status, answer.accepted, answer.rejected], [202, 3, []]);
      assert.equal((await logged('Zoë 👟')).length, before + 1);
    }
  }
});

test('a batch is taken in part, each refusal with its place, reason and a hint', async () => {
  const late = new Date(Date.now() + 10 * 60_000).toISOString();
  const items = [
    JSON.stringify(makeEvent()),
    '7',
    '{"userId":"u"}',
    JSON.stringify(makeEvent({ timestamp: late })),
    JSON.stringify(makeEvent({ timestamp: 1795428000 })),
    JSON.stringify(makeEvent({ page: 'x'.repeat(MAX_EVENT_BYTES) })),
    '{"a":}',
    JSON.stringify(makeEvent({ userId: 'a\0b' })),
    '{"userId":"\\ud800","eventType":"A","timestamp":1795428000000}',
    JSON.stringify(makeEvent({ userId: 'ä'.repeat(129) })),
    JSON.stringify(makeEvent()),
  ];
  const answer = await post(`[${items.join(',')}]`);
  assert.equal(answer.status, 202);
  assert.equal(answer.accepted, 2);
  assert.deepEqual(
    answer.rejected.map(({ index, code }) => [index, code]),
    [
      [1, 'not_an_object'],
      [2, 'missing_field'],
      [3, 'timestamp_in_future'],
      [4, 'invalid_timestamp'],
      [5, 'event_too_large'],
      [6, 'invalid_json'],
      [7, 'invalid_field'],
      [8, 'invalid_field'],
      [9, 'invalid_field'],
    ],
  );
  for (const { message, hint } of answer.rejected) assert.ok(message !== '' && hint !== '');
  const metrics = await gateway.metrics.text();
  assert.match(metrics, /lull_collector_events_rejected_total\{code="event_too_large"\} [1-9]/);
});

test('a batch of which nothing can be taken is answered 202 all the same', async () => {
  const answer = await post('[{},{}]');
  assert.deepEqual([answer.status, answer.accepted, answer.rejected.length], [202, 0, 2]);
  assert.equal((await post('[]')).status, 202);
});

test('one event that is refused is refused as a request', async () => {
  const answer = await post('{"userId":"u"}');
  assert.equal(answer.status, 400);
  assert.deepEqual(answer.error, {
    code: 'missing_field',
    message: 'eventType is missing',
    hint: 'every event needs eventType',
  });
  const large = JSON.stringify(makeEvent({ page: 'x'.repeat(MAX_EVENT_BYTES) }));
  const tooLarge = await post(large);
  assert.deepEqual([tooLarge.status, tooLarge.error.code], [413, 'event_too_large']);
});

test('an event of 64 kB fits, one byte more does not', async () => {
  const event = makeEvent({ page: '' });
  const room = MAX_EVENT_BYTES - JSON.stringify(event).length;
  assert.equal((await post(JSON.stringify({ ...event, page: 'x'.repeat(room) }))).status, 202);
  assert.equal((await post(JSON.stringify({ ...event, page: 'x'.repeat(room + 1) }))).status, 413);
});

test('harmless: duplicate keys, deep nesting, keys of the prototype', async () => {
  const userId = `user-${users++}`;
  const rest = `"eventType":"A","timestamp":${Date.now()}`;
  const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
  const bodies = [
    `{"userId":"other","userId":"${userId}",${rest}}`,
    `{"userId":"${userId}",${rest},"properties":${deep}}`,
    `{"__proto__":{"eventType":1},"constructor":{"prototype":{}},"userId":"${userId}",${rest}}`,
  ];
  for (const body of bodies) assert.equal((await post(body)).status, 202, body.slice(0, 80));
  assert.equal((await logged(userId)).length, bodies.length);
  assert.equal(({} as Record<string, unknown>)['eventType'], undefined);
  const noUser = await post(`{"__proto__":{"userId":"u"},${rest}}`);
  assert.equal(noUser.error.code, 'missing_field');
});

const REFUSED: readonly [what: string, body: string | Buffer, status: number, code: string][] = [
  ['nothing', '', 400, 'invalid_json'],
  ['white space', ' \n', 400, 'invalid_json'],
  ['no JSON', 'hello', 400, 'invalid_json'],
  ['half an object', '{"userId":"u"', 400, 'invalid_json'],
  ['half an array', '[{"userId":"u"}', 400, 'invalid_json'],
  ['a number', '7', 400, 'not_an_object'],
  ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 400, 'invalid_json'],
  ['broken gzip', Buffer.from([0x1f, 0x8b, 1, 2, 3]), 400, 'invalid_json'],
  ['too many events', `[${'{},'.repeat(50_000)}{}]`, 413, 'body_too_large'],
  ['too many lines', '{}\n'.repeat(50_001), 413, 'body_too_large'],
  ['too many bytes', Buffer.alloc(MAX_BODY_BYTES + 1, ' '), 413, 'body_too_large'],
  ['too much once inflated', gzipSync(Buffer.alloc(MAX_BODY_BYTES + 1)), 413, 'body_too_large'],
];
for (const [what, body, status, code] of REFUSED) {
  test(`refused: ${what}`, async () => {
    const answer = await post(body);
    assert.deepEqual([answer.status, answer.error.code], [status, code]);
    assert.ok(answer.error.hint !== '');
  });
}

test('50,000 events in one request are taken', async () => {
  const event = `{"eventId":"e","userId":"crowd","eventType":"A","timestamp":${Date.now()}}`;
  const answer = await post(Array(50_000).fill(event).join('\n'));
  assert.deepEqual([answer.status, answer.accepted], [202, 50_000]);
});

test('one line of bytes that are no UTF-8 spoils only itself', async () => {
  const good = JSON.stringify(makeEvent({ userId: 'zoë' }));
  const body = Buffer.concat([
    Buffer.from(`${good}\n`),
    Buffer.from([0x7b, 0xff, 0x0a]),
    Buffer.from(good),
  ]);
  const answer = await post(body);
  assert.deepEqual([answer.accepted, answer.rejected.map(({ index }) => index)], [2, [1]]);
});

test('another encoding than gzip is refused', async () => {
  const answer = await post('x', { 'content-encoding': 'br' });
  assert.deepEqual([answer.status, answer.error.code], [415, 'unsupported_encoding']);
});

test('a body sent in chunks of unknown length is taken, and bounded', async () => {
  const send = (chunks: readonly string[]) =>
    new Promise<number | undefined>((resolve, reject) => {
      const request = httpRequest(`${gateway.url}/api/events`, { method: 'POST' }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      request.on('error', reject);
      for (const chunk of chunks) request.write(chunk);
      request.end();
    });
  const text = JSON.stringify(makeEvent());
  assert.equal(await send([text.slice(0, 9), text.slice(9)]), 202);
  const status = await send(Array(11).fill(' '.repeat(1024 * 1024))).catch(() => 413);
  assert.equal(status, 413);
});

test('while intake is closed, events are refused with when to come back', async () => {
  closed = {
    code: 'back_filling',
    message: 'the last 24 h are being filled in',
    retryAfterSeconds: 7,
  };
  const answer = await post(JSON.stringify(makeEvent()));
  closed = null;
  assert.deepEqual([answer.status, answer.error.code], [503, 'back_filling']);
  assert.equal(answer.headers.get('retry-after'), '7');
});

test('what the log refuses is passed on; a defect is told of without its insides', async (t) => {
  let failure: Error = new LullError('log_full', 'the log user-events is full');
  const failing = await openGateway({ events: topicThatAppends(() => Promise.reject(failure)) });
  t.after(() => failing.close());
  const full = await post(JSON.stringify(makeEvent()), {}, failing);
  assert.deepEqual([full.status, full.error.code], [507, 'log_full']);
  assert.match(full.headers.get('retry-after') ?? '', /^\d+$/);
  failure = new Error('secret insides');
  const broken = await post(JSON.stringify(makeEvent()), {}, failing);
  assert.deepEqual([broken.status, broken.error.code], [500, 'internal']);
  assert.ok(!JSON.stringify(broken).includes('secret'));
  assert.equal(failing.logged.length, 1);
});

for (const [how, pack] of [
  ['as it is', (text: string) => text],
  ['once inflated', (text: string) => gzipSync(text)],
] as const) {
  test(`more than fits in flight, ${how}, is refused at once, and taken again later`, async (t) => {
    let letGo = () => {};
    const stuck = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const events = topicThatAppends(async (records) => {
      await stuck;
      return records.map((_, index) => index);
    });
    const busy = await openGateway({ events });
    t.after(() => busy.close());
    const large = pack(JSON.stringify(makeEvent()).padEnd(MAX_BODY_BYTES, ' '));
    const requests = Array.from({ length: 14 }, () => post(large, {}, busy));
    const refused: Awaited<ReturnType<typeof post>>[] = [];
    await new Promise<void>((resolve) => {
      for (const one of requests) {
        void one.then((answer) => {
          if (answer.status !== 202 && refused.push(answer) === 2) resolve();
        });
      }
    });
    for (const { status, error, headers } of refused) {
      assert.deepEqual([status, error.code], [503, 'too_busy']);
      assert.match(headers.get('retry-after') ?? '', /^\d+$/);
    }
    letGo();
    const statuses = (await Promise.all(requests)).map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 202).length, 12);
    assert.equal((await post(large, {}, busy)).status, 202);
  });
}

test('an address that sends more than it may is told how long to wait, and nobody else', async (t) => {
  let timeMs = 0;
  const clock = { ...systemClock, monotonicMs: () => timeMs };
  const bounded = await openGateway({ intakeRatePerSecond: 10, clock });
  t.after(() => bounded.close());
  const batch = JSON.stringify(Array.from({ length: 30 }, () => makeEvent()));
  assert.equal((await post(batch, {}, bounded)).accepted, 30);
  const refused = await post(batch, {}, bounded);
  assert.deepEqual([refused.status, refused.error.code], [429, 'rate_exceeded']);
  assert.equal(refused.headers.get('retry-after'), '3');
  assert.equal((await fetch(`${bounded.url}/api/sessions/active`)).status, 200);
  timeMs += 3000;
  assert.equal((await post(batch, {}, bounded)).status, 202);
});
