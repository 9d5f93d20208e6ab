/** The description of the API holds what is served, is valid OpenAPI, and its pages are safe. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { makeSession, type OpenGateway, openGateway } from '../../../test/support/open-gateway.ts';

let gateway: OpenGateway;
before(async () => {
  gateway = await openGateway({
    rate: { get: () => 4, set: () => null },
    query: { sessionsOf: async () => null, waitVisible: async () => 'published' },
  });
});
after(() => gateway.close());

async function text(path: string): Promise<string> {
  const response = await fetch(`${gateway.url}${path}`);
  assert.equal(response.status, 200);
  return response.text();
}

interface Described {
  openapi: string;
  paths: Record<
    string,
    Record<string, { summary?: string; responses: Record<string, { description: string }> }>
  >;
  components: { schemas: Record<string, { properties: object; required: string[] }> };
}

const describe = async () => JSON.parse(await text('/openapi.json')) as Described;

test('it is valid OpenAPI 3.1', async () => {
  const document = await describe();
  assert.match(document.openapi, /^3\.1\./);
  const result = await new Validator().validate(structuredClone(document) as never);
  assert.deepEqual(result.errors ?? [], []);
  assert.ok(result.valid);
});

test('it names every request, each with a summary and its refusals', async () => {
  const { paths } = await describe();
  assert.deepEqual(Object.keys(paths).sort(), [
    '/api/analytics/breakdown',
    '/api/analytics/stats',
    '/api/analytics/timeseries',
    '/api/events',
    '/api/rate',
    '/api/sessions/active',
    '/api/sessions/active/{userId}',
    '/api/sessions/active/{userId}/stream',
    '/api/sessions/converted',
    '/api/sessions/history/{userId}',
    '/api/sessions/{sessionId}',
    '/api/sessions/{sessionId}/absorbed',
    '/api/stream/sessions',
    '/api/system',
    '/api/users/{userId}',
    '/health',
    '/metrics',
    '/ready',
    '/state/{userId}',
  ]);
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      assert.ok(operation.summary, `${method} ${path}`);
      for (const { description } of Object.values(operation.responses)) {
        assert.notEqual(description, 'Default Response', `${method} ${path}`);
      }
      if (path.startsWith('/api')) assert.ok('4XX' in operation.responses, `${method} ${path}`);
    }
  }
});

test('a session has exactly the fields that are described', async () => {
  const { Session } = (await describe()).components.schemas;
  const fields = Object.keys(makeSession());
  assert.deepEqual(Object.keys(Session!.properties).sort(), [...fields].sort());
  assert.deepEqual([...Session!.required].sort(), [...fields].sort());
});

test('the page shows each request with a line to try', async () => {
  const html = await text('/docs');
  for (const [path, methods] of Object.entries((await describe()).paths)) {
    for (const method of Object.keys(methods)) {
      assert.ok(html.includes(`<code>${method.toUpperCase()} ${path}</code>`), `${method} ${path}`);
    }
  }
  assert.ok(html.includes(`curl &#39;${gateway.url}/api/sessions/active/user-1&#39;`));
  assert.ok(html.includes('-X PUT'));
});

test('the docs run no script; the dashboard runs its own, and makes no HTML of texts', async () => {
  const docs = await fetch(`${gateway.url}/docs`);
  const policy = docs.headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'none'; style-src 'self'/);
  assert.doesNotMatch(policy, /script-src/);
  assert.doesNotMatch(await docs.text(), /<script|<style|<img|style=|\son[a-z]+=/i);
  for (const path of ['/', '/explore', '/system', '/users/a%2Fb', '/sessions/0a1b']) {
    const page = await fetch(`${gateway.url}${path}`);
    assert.equal(page.status, 200, path);
    const policy = page.headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self';/);
    assert.match(policy, /require-trusted-types-for 'script'; trusted-types 'none'$/);
    const html = await page.text();
    assert.doesNotMatch(html, /<script>|<style|style=|\son[a-z]+=/i);
    for (const [, target] of html.matchAll(/(?:href|src)="([^"]*)"/g)) {
      assert.match(target!, /^\/[a-z]/, target);
    }
  }
});

test('files of the dashboard may be kept for ever, and come compressed', async () => {
  const html = await text('/');
  const [, script = ''] = /src="([^"]+)"/.exec(html) ?? [];
  const answer = await fetch(`${gateway.url}${script}`, { headers: { 'accept-encoding': 'br' } });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-encoding'), 'br');
  assert.match(answer.headers.get('cache-control') ?? '', /immutable/);
  const plain = await fetch(`${gateway.url}${script}`, { headers: { 'accept-encoding': 'none' } });
  assert.equal(plain.headers.get('content-encoding'), null);
  assert.equal(await plain.text(), await answer.text());
});

test('a host that is no host is not written into a page', async (t) => {
  // Elsewhere such a request is refused.
  const open = await openGateway({ access: { token: null, corsOrigins: [], allowedHosts: null } });
  t.after(() => open.close());
  const { request } = await import('node:http');
  const html = await new Promise<string>((resolve, reject) => {
    const headers = { host: '"><script>alert(1)</script>' };
    request(`${open.url}/docs`, { headers }, async (response) => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve(body);
    })
      .on('error', reject)
      .end();
  });
  assert.match(html, /<!doctype html>/i);
  assert.ok(!html.includes('<script'));
});
