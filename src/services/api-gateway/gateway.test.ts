/** The gateway as a whole: who may ask, how it refuses, what it tells of itself, how it closes. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { type OpenGateway, openGateway } from '../../../test/support/open-gateway.ts';
import { accessOf } from '../../http/access.ts';
import { refusePortTaken } from '../../http/server.ts';
import type { HealthReport } from '../../ops/health.ts';

let gateway: OpenGateway;
let isReady = true;
let health: HealthReport = { status: 'ok', parts: [] };
let rate = 4;
before(async () => {
  gateway = await openGateway({
    ready: () => isReady,
    health: () => health,
    rate: {
      get: () => rate,
      set: (wanted) => {
        if (wanted > 1000) return 'more than the simulator can do';
        rate = wanted;
        return null;
      },
    },
  });
});
after(() => gateway.close());

async function ask(path: string, init: RequestInit = {}, to = gateway) {
  const response = await fetch(`${to.url}${path}`, init);
  const text = await response.text();
  const isJson = (response.headers.get('content-type') ?? '').startsWith('application/json');
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson && text !== '' ? JSON.parse(text) : null,
  };
}

/** Sends these bytes as they are, and gives what comes back until the connection ends. */
function sendRaw(text: string, to = gateway): Promise<string> {
  const { hostname, port } = new URL(to.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
  });
}

test('with a token, all but health, ready, metrics and the bare page needs it', async (t) => {
  const guarded = await openGateway({
    access: { token: 'very secret', corsOrigins: [], allowedHosts: null },
  });
  t.after(() => guarded.close());
  const paths = [
    '/docs',
    '/openapi.json',
    '/api/sessions/active',
    '/api/stream/sessions',
    '/api/system',
    '/nope',
  ];
  const wrong = [
    undefined,
    'very secret',
    'Bearer very',
    'Bearer very secret2',
    'Basic dmVyeSBzZWNyZXQ=',
  ];
  for (const path of paths) {
    for (const authorization of wrong) {
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      const answer = await ask(path, { headers }, guarded);
      assert.deepEqual([answer.status, answer.json.error.code], [401, 'unauthorized'], path);
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
    }
  }
  for (const path of [
    '/health',
    '/ready',
    '/metrics',
    '/',
    '/users/me',
    '/sessions/a',
    '/icon.svg',
  ]) {
    assert.equal((await ask(path, {}, guarded)).status, 200, path);
  }
  const authorization = 'bearer very secret';
  for (const [path, status] of [
    ['/docs', 200],
    ['/nope', 404],
    ['/api/sessions/active', 200],
  ] as const) {
    assert.equal((await ask(path, { headers: { authorization } }, guarded)).status, status);
  }
  const unsent = await ask('/api/events', { method: 'POST', body: '{}' }, guarded);
  assert.equal(unsent.status, 401);
});

test('without a token, pages of other sites are kept out, by their origin and by a name', async () => {
  for (const [origin, status] of [
    ['https://shop.example', 403],
    ['http://192.0.2.1:8080', 403],
    ['http://localhost.shop.example', 403],
    ['null', 403],
    [gateway.url, 200],
    ['http://localhost:3000', 200],
    ['http://[::1]:3000', 200],
  ] as const) {
    const answer = await ask('/api/rate', { headers: { origin } });
    assert.equal(answer.status, status, origin);
    assert.equal(answer.json.error?.code, status === 403 ? 'origin_refused' : undefined);
    assert.equal(answer.headers.get('access-control-allow-origin'), null);
  }
  for (const [host, status] of [
    ['evil.example:8080', 403],
    ['localhost.evil.example', 403],
    ['not/a name', 403],
    ['localhost:8080', 200],
    ['lull.localhost', 200],
    ['192.0.2.1:8080', 200],
    ['[::1]:8080', 200],
  ] as const) {
    const answer = await sendRaw(
      `GET /health HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    );
    assert.equal(answer.slice(0, 12), `HTTP/1.1 ${status}`, host);
  }
});

test('where somebody else guards the port any name will do, but no page of another site', async () => {
  const settings = { auth: 'none', token: null, corsOrigins: [] } as const;
  for (const [allowedHosts, host, origin, status] of [
    [[], 'lull.example', '', 200],
    [[], 'lull.example', 'https://lull.example', 200],
    [[], 'lull.example', 'https://shop.example', 403],
    [['api-gateway'], 'api-gateway:8080', '', 200],
    [['api-gateway'], 'own-name', '', 200],
    [['api-gateway'], 'localhost:8080', 'http://localhost:8080', 200],
    [['api-gateway'], 'evil.example:8080', 'http://evil.example:8080', 403],
    [['api-gateway'], 'evil.example', '', 403],
  ] as const) {
    const open = await openGateway({ access: accessOf({ ...settings, allowedHosts }, 'own-name') });
    const lines = [`Host: ${host}`, 'Connection: close', ...(origin ? [`Origin: ${origin}`] : [])];
    const request = `GET /health HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
    assert.equal((await sendRaw(request, open)).slice(0, 12), `HTTP/1.1 ${status}`, request);
    await open.close();
  }
});

test('pages of the sites that are named may ask, with a token where one is needed', async (t) => {
  const corsOrigins = ['https://shop.example', 'http://localhost:3000'];
  const local = await openGateway({ access: { token: null, corsOrigins, allowedHosts: [] } });
  t.after(() => local.close());
  const guarded = await openGateway({
    access: { token: 'secret', corsOrigins, allowedHosts: null },
  });
  t.after(() => guarded.close());
  for (const to of [local, guarded]) {
    const preflight = (origin: string) => {
      const headers = {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      };
      return ask('/api/events', { method: 'OPTIONS', headers }, to);
    };
    const { status, headers } = await preflight('https://shop.example');
    assert.equal(status, 204);
    assert.equal(headers.get('access-control-allow-origin'), 'https://shop.example');
    assert.match(headers.get('access-control-allow-headers')!, /authorization.*lull-after/);
    const other = await preflight('https://other.example');
    assert.notEqual(other.headers.get('access-control-allow-origin'), 'https://other.example');
    const refused = await ask('/nope', { headers: { origin: 'https://shop.example' } }, to);
    assert.equal(refused.headers.get('access-control-allow-origin'), 'https://shop.example');
  }
  const headers = { origin: 'https://shop.example', authorization: 'Bearer secret' };
  assert.equal((await ask('/api/sessions/active', { headers }, guarded)).status, 200);
});

test('health answers 200 and names what is not as it should be', async () => {
  health = {
    status: 'degraded',
    parts: [{ name: 'history', status: 'degraded', reason: 'back-filling, 40 %' }],
  };
  const answer = await ask('/health');
  assert.deepEqual([answer.status, answer.json], [200, health]);
});

test('ready says 503 until all is there', async () => {
  isReady = false;
  const starting = await ask('/ready');
  isReady = true;
  assert.deepEqual([starting.status, starting.json.error.code], [503, 'not_ready']);
  assert.match(starting.headers.get('retry-after') ?? '', /^\d+$/);
  assert.equal((await ask('/ready')).status, 200);
});

test('the rate can be read and set, and what cannot work is refused with the reason', async () => {
  const put = (body: string) => ask('/api/rate', { method: 'PUT', body });
  assert.deepEqual((await ask('/api/rate')).json, { eventsPerSecond: 4 });
  assert.deepEqual((await put('{"eventsPerSecond":500}')).json, { eventsPerSecond: 500 });
  assert.equal(rate, 500);
  const tooMuch = await put('{"eventsPerSecond":1001}');
  assert.equal(tooMuch.status, 400);
  assert.equal(tooMuch.json.error.message, 'more than the simulator can do');
  for (const body of [
    '{"eventsPerSecond":-1}',
    '{"eventsPerSecond":"many"}',
    '{}',
    '7',
    '{"eventsPerSecond":',
    '',
    ' '.repeat(99_999),
  ]) {
    const { status, json } = await put(body);
    assert.ok(status === 400 || status === 413, `${status} for ${body.slice(0, 20)}`);
    assert.ok(json.error.hint !== '');
  }
  assert.equal(rate, 500);
});

test('there is no rate, and no state, where nothing stands behind it', async (t) => {
  const bare = await openGateway();
  t.after(() => bare.close());
  for (const path of ['/api/rate', '/state/user-1']) {
    assert.equal((await ask(path, {}, bare)).status, 404, path);
    assert.ok(!(await ask('/openapi.json', {}, bare)).text.includes(`"${path}"`));
  }
});

const UNKNOWN: readonly [method: string, path: string, status: number, allow: string | null][] = [
  ['GET', '/nope', 404, null],
  ['GET', '/api', 404, null],
  ['GET', '/dashboard', 404, null],
  ['GET', '/api/analytics/funnel', 404, null],
  ['GET', '/api/sessions/abc/explain', 404, null],
  ['DELETE', '/api/users/user-1', 405, 'GET, HEAD'],
  ['GET', '/api/events', 405, 'POST'],
  ['DELETE', '/api/sessions/active/user-1', 405, 'GET, HEAD'],
  ['POST', '/health', 405, 'GET, HEAD'],
  ['HEAD', '/api/stream/sessions', 405, 'GET'],
  ['OPTIONS', '/api/events', 405, 'POST'],
];
for (const [method, path, status, allow] of UNKNOWN) {
  test(`${method} ${path} is answered ${status}`, async () => {
    const answer = await ask(path, { method });
    assert.equal(answer.status, status);
    assert.equal(answer.headers.get('allow'), allow);
    if (method === 'HEAD') return;
    assert.equal(answer.json.error.code, status === 404 ? 'not_found' : 'method_not_allowed');
  });
}

const BROKEN: readonly [what: string, request: string, status: number][] = [
  [
    'a path that is badly encoded',
    'GET /api/sessions/active/%ff%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    400,
  ],
  ['no HTTP at all', 'hello\r\n\r\n', 400],
  ['no host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
  [
    'headers without end',
    `GET / HTTP/1.1\r\nHost: localhost\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`,
    431,
  ],
  [
    'a wrong length',
    'POST /api/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n',
    400,
  ],
];
for (const [what, request, status] of BROKEN) {
  test(`${what} is answered ${status}, in the form of all refusals`, async () => {
    const [head = '', body = ''] = (await sendRaw(request)).split('\r\n\r\n');
    assert.ok(head.startsWith(`HTTP/1.1 ${status}`), head);
    if (what === 'no host') return;
    const { error } = JSON.parse(body);
    assert.ok(error.code !== '' && error.message !== '' && error.hint !== '');
  });
}

test('answers may not be cached, sniffed or read by other origins', async () => {
  for (const path of ['/api/sessions/active', '/nope', '/']) {
    const { headers } = await ask(path, { headers: { origin: 'https://elsewhere.example' } });
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('cache-control'), 'no-store');
    assert.equal(headers.get('access-control-allow-origin'), null);
  }
});

test('requests are counted by route, not by path', async () => {
  await ask('/api/sessions/active/somebody');
  const { text, headers } = await ask('/metrics');
  assert.match(headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  assert.match(text, /lull_http_requests_total\{route="\/api\/sessions\/active\/:userId",/);
  assert.ok(!text.includes('somebody'));
});

test('a port that is taken is named in one line', async () => {
  const { port } = new URL(gateway.url);
  await assert.rejects(openGateway({ port: Number(port) }), {
    code: 'port_taken',
    message: `port ${port} is in use`,
  });
});

test('a port that is taken, or an address of another machine, is refused before all else', async () => {
  const { hostname: host, port } = new URL(gateway.url);
  await assert.rejects(refusePortTaken({ host, port: Number(port) }), { code: 'port_taken' });
  await assert.rejects(refusePortTaken({ host: '192.0.2.1', port: 0 }), {
    code: 'address_unusable',
    message: "192.0.2.1, port 0 can't be listened on: EADDRNOTAVAIL",
  });
  await refusePortTaken({ host, port: 0 });
});

test('closing lets a request under way finish, and ends streams with a reason', async () => {
  const pending = Promise.withResolvers<number>();
  const reached = Promise.withResolvers<void>();
  const closing = await openGateway();
  const live = Object.assign(Object.create(closing.live) as typeof closing.live, {
    size: () => {
      reached.resolve();
      return pending.promise;
    },
    onChange: () => () => {},
  });
  const slow = await openGateway({ live });
  const stream = await fetch(`${slow.url}/api/stream/sessions`);
  const page = ask('/api/system', {}, slow);
  await reached.promise;
  const closed = slow.close();
  assert.match(await stream.text(), /event: end\ndata: \{"code":"stopping"/);
  pending.resolve(7);
  assert.equal((await page).status, 200);
  await closed;
  await assert.rejects(ask('/health', {}, slow));
  await closing.close();
});
