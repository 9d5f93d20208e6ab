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
    '/api/analytics/stats',
    '/api/events',
    '/api/rate',
    '/api/sessions/active',
    '/api/sessions/active/{userId}',
    '/api/sessions/active/{userId}/stream',
    '/api/sessions/converted',
    '/api/sessions/history/{userId}',
    '/api/sessions/{sessionId}',
    '/api/stream/sessions',
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

test('the first page of a new system shows how to send an event, dated now', async () => {
  const html = await text('/');
  assert.ok(
    html.includes('&quot;timestamp&quot;:&quot;&#39;&quot;$(date -u +%FT%TZ)&quot;&#39;&quot;'),
  );
  assert.match(html, /<dt>live sessions<\/dt><dd>0<\/dd>/);
});

test('the first page shows what there is now, and what to ask', async () => {
  await gateway.publish('user-1', makeSession());
  const html = await text('/');
  assert.match(html, /<dt>live sessions<\/dt><dd>1<\/dd>/);
  assert.equal(html.match(/<pre>/g)?.length, 3);
  assert.ok(!html.includes('NaN'));
  for (const [, path] of html.matchAll(/href="(\/[^"]*)"/g)) await text(path!);
});

test('pages run no script and load nothing from elsewhere', async () => {
  for (const path of ['/', '/docs']) {
    const response = await fetch(`${gateway.url}${path}`);
    const policy = response.headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'; style-src 'self'/);
    const html = await response.text();
    assert.doesNotMatch(html, /<script|<style|<img|style=|\son[a-z]+=/i);
    for (const [, target] of html.matchAll(/(?:href|src)="([^"]*)"/g)) {
      assert.match(target!, /^\/[a-z]/i.test(target!) ? /^/ : /^\/$/);
    }
  }
});

test('a host that is no host is not written into a page', async () => {
  const { request } = await import('node:http');
  const html = await new Promise<string>((resolve, reject) => {
    const headers = { host: '"><script>alert(1)</script>' };
    request(`${gateway.url}/`, { headers }, async (response) => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve(body);
    })
      .on('error', reject)
      .end();
  });
  assert.ok(!html.includes('<script'));
});
