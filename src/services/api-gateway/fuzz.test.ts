/** Anything at all may be sent: no answer is a 500, none tells of the inside, and it goes on. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { makeSession, type OpenGateway, openGateway } from '../../../test/support/open-gateway.ts';

let gateway: OpenGateway;
before(async () => {
  gateway = await openGateway({
    rate: { get: () => 4, set: () => null },
    query: { sessionsOf: async () => null, waitVisible: async () => 'published' },
  });
  await gateway.publish('user-1', makeSession());
});
after(() => gateway.close());

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'];
/** Streams don't end by themselves: they have no place here. */
const PATHS = [
  '/',
  '/docs',
  '/health',
  '/metrics',
  '/api/events',
  '/api/rate',
  '/api/analytics/stats',
  '/api/sessions/active',
  '/api/sessions/converted',
  '/api/sessions/',
  '/api/sessions/active/',
  '/api/sessions/history/',
  '/state/',
  '/api/',
];
const NAMES = [
  'limit',
  'size',
  'hours',
  'cursor',
  'minEvents',
  'minIdle',
  'hasCart',
  'device',
  '__proto__',
];

const anyText = fc.string({ unit: 'binary', maxLength: 300 });
const segment = fc.oneof(
  anyText.map((text) => encodeURIComponent(text.toWellFormed())),
  fc.string({ maxLength: 40 }).map((text) => text.replace(/[?#\s]|stream/g, '')),
  fc.constantFrom('%', '%zz', '%ff', '%00', '..', '%2e%2e', '%2F', 'constructor'),
);
const path = fc
  .tuple(fc.constantFrom(...PATHS), fc.array(segment, { maxLength: 2 }))
  .map(([base, segments]) => `${base}${segments.join('/')}`);
const query = fc
  .array(fc.tuple(fc.constantFrom(...NAMES), fc.oneof(segment, fc.double().map(String))), {
    maxLength: 4,
  })
  .map((pairs) => pairs.map(([name, value]) => `${name}=${value}`).join('&'));
const headers = fc.record(
  {
    'lull-after': fc.base64String({ maxLength: 60 }),
    'content-type': fc.constantFrom(
      'application/json',
      'application/x-ndjson',
      'a/b;c',
      ';',
      'nonsense',
    ),
    'content-encoding': fc.constantFrom('gzip', 'br', 'identity', ''),
    'last-event-id': fc.base64String(),
    accept: fc.constantFrom('text/html', '*/*', 'x'),
  },
  { requiredKeys: [] },
);

const eventish = fc.record(
  {
    eventId: fc.oneof(anyText, fc.jsonValue()),
    userId: fc.oneof(anyText, fc.constant('user-1'), fc.jsonValue()),
    eventType: fc.oneof(fc.constantFrom('PAGE_VIEW', 'CLICK'), fc.jsonValue()),
    timestamp: fc.oneof(
      fc.date({ noInvalidDate: true }).map(String),
      fc.double(),
      fc.integer(),
      fc.constant(Date.now()),
    ),
    amount: fc.oneof(fc.double(), fc.string(), fc.jsonValue()),
    currency: fc.oneof(fc.constant('EUR'), fc.jsonValue()),
    utm: fc.jsonValue(),
    properties: fc.jsonValue({ maxDepth: 20 }),
  },
  { requiredKeys: [] },
);
const body = fc.oneof(
  eventish.map((event) => JSON.stringify(event)),
  fc.array(fc.oneof(eventish, fc.jsonValue())).map((events) => JSON.stringify(events)),
  fc.array(eventish).map((events) => events.map((event) => JSON.stringify(event)).join('\n')),
  fc.tuple(eventish, fc.nat(300)).map(([event, cut]) => JSON.stringify([event]).slice(0, cut)),
  anyText,
  fc.uint8Array({ maxLength: 500 }),
  fc.uint8Array({ maxLength: 50 }).map((bytes) => new Uint8Array([0x1f, 0x8b, ...bytes])),
);

test('any method, path, query, headers and body are answered in form', async () => {
  let answered = 0;
  const request = fc.record({ method: fc.constantFrom(...METHODS), path, query, headers, body });
  await fc.assert(
    fc.asyncProperty(request, async ({ method, path, query, headers, body }) => {
      const response = await fetch(`${gateway.url}${path}?${query}`, {
        method,
        headers: headers as Record<string, string>,
        body: method === 'GET' ? null : typeof body === 'string' ? body : new Uint8Array(body),
      });
      const text = await response.text();
      answered++;
      assert.ok(response.status < 500, `${response.status} ${text}`);
      if (response.status < 400) return;
      const { error } = JSON.parse(text) as { error: Record<string, string> };
      assert.deepEqual(Object.keys(error), ['code', 'message', 'hint']);
      for (const value of Object.values(error))
        assert.ok(typeof value === 'string' && value !== '');
      assert.doesNotMatch(text, /\.ts:|node_modules|at \w+ \(/);
    }),
    { numRuns: 600 },
  );
  assert.ok(answered >= 600);
  assert.deepEqual(gateway.logged, []);
  const health = await fetch(`${gateway.url}/api/sessions/active/user-1`);
  assert.equal(health.status, 200);
});
