/** The scripts that people run against a system: on a quiet one, and on one with shoppers. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite, test } from 'node:test';
import { makeFolder, startSystem } from '../support/running-system.ts';
import { loadShortly, tellStory } from '../support/scripts.ts';

const bound = { timeout: 600_000 };

suite('on the embedded system', bound, () => {
  for (const [name, flags] of [
    ['quiet', ['--no-simulate']],
    ['with shoppers, and a past', ['--backfill', '1h', '--seed', '7']],
  ] as const) {
    test(`all of the story is true: ${name}`, bound, async (t) => {
      const folder = makeFolder('scripts');
      const system = await startSystem('--data', folder.path, ...flags);
      t.after(async () => {
        await system.end('SIGKILL');
        folder.remove();
      });
      const { status, output } = await tellStory(system.url);
      assert.equal(status, 0, output);
      assert.match(output, /^\d\d passed, 0 failed$/m);
      assert.doesNotMatch(output, /^FAIL/m);
      const hasProducer = /^ok {4}kafka_producer_record_send_total is among/m.test(output);
      assert.equal(hasProducer, !flags.some((flag) => flag === '--no-simulate'));
    });
  }

  test(
    'the script notices what is not true, and a load test events that are lost',
    bound,
    async (t) => {
      const folder = makeFolder('scripts');
      const system = await startSystem('--data', folder.path, '--no-simulate');
      const forgetful = await forget(system.url);
      t.after(async () => {
        forgetful.server.close();
        forgetful.server.closeAllConnections();
        await system.end('SIGKILL');
        folder.remove();
      });
      const story = await tellStory(forgetful.url, [], { LULL_WAIT: '2' });
      assert.equal(story.status, 1);
      assert.match(
        story.output,
        /^FAIL {2}it bridges the two closed sessions: eventCount is '1 4'/m,
      );
      assert.match(story.output, /^\d\d passed, [1-9]\d* failed$/m);
      const load = await loadShortly(forgetful.url);
      assert.equal(load.status, 1, load.output);
      assert.match(load.output, /^FAIL {2}events .* accepted, [1-9]\d* lost, 0 too many$/m);
      const whole = await loadShortly(system.url);
      assert.equal(whole.status, 0, whole.output);
      assert.match(whole.output, /^ok {4}events .* accepted, 0 lost, 0 too many$/m);
      assert.match(whole.output, /^ok {4}from POST to visible .*; 0 unseen$/m);
    },
  );
});

test('where nothing answers both say so in a line', bound, async () => {
  const nowhere = 'http://127.0.0.1:1';
  const story = await tellStory(nowhere);
  assert.equal(story.status, 1);
  assert.match(story.output, /^FAIL {2}it answers: nothing does at http:\S+; is it running\?/m);
  assert.match(story.output, /^0 passed, 1 failed$/m);
  const load = await loadShortly(nowhere);
  assert.equal(load.status, 1);
  assert.match(load.output, /^lull: http:\S+ .*ECONNREFUSED.*; check the address/m);
});

/** Before the system: acknowledges late events, and every tenth batch of a load, and drops them. */
async function forget(target: string): Promise<{ server: Server; url: string }> {
  let batches = 0;
  const server = createServer(async (request, response) => {
    const body = await read(request);
    const isForgotten = body.includes('-late"') || (body.includes('load-') && batches++ % 10 === 9);
    if (request.method === 'POST' && isForgotten) {
      const accepted = (JSON.parse(body) as unknown[]).length;
      response.writeHead(202).end(JSON.stringify({ accepted, rejected: [] }));
      return;
    }
    const { 'lull-after': after } = request.headers;
    const headers = {
      ...(body === '' ? {} : { 'content-type': 'application/json' }),
      ...(after === undefined ? {} : { 'lull-after': String(after) }),
    };
    const answer = await fetch(new URL(request.url!, target), {
      ...{ method: request.method!, headers },
      ...(body === '' ? {} : { body }),
    });
    response.writeHead(answer.status).end(await answer.text());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function read(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const part of request.setEncoding('utf8')) body += part;
  return body;
}
