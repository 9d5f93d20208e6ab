/** Asking other processes for their state: whom first, whom then, and what if nobody answers. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { partitionOf } from '../core/hash.ts';
import { systemClock as clock } from '../ops/clock.ts';
import type { SessionQuery } from './query.ts';
import { type LocalState, type PartitionHolders, RemoteQuery } from './remote-query.ts';

const USER = 'user-1';
const PARTITIONS = 4;
const PARTITION = partitionOf(USER, PARTITIONS);

/** A process that answers everything alike; `asked` has the paths. */
async function serve(context: TestContext, answer: RequestListener) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url!);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const end = () => {
    server.closeAllConnections();
    server.close();
  };
  context.after(end);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, end };
}

const says =
  (status: number, body: unknown): RequestListener =>
  (_request, response) =>
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));

const stateOf = (source: string, name: string, asOf = '2026-01-01T00:00:00.000Z') =>
  says(200, { partition: PARTITION, source, asOf, items: [{ sessionId: name }] });

function open(
  context: TestContext,
  describe: () => Partial<PartitionHolders> | null,
  local: LocalState | null = null,
) {
  let described = 0;
  const query = new RemoteQuery({
    ...{ partitionCount: PARTITIONS, clock, local: () => local, token: 'secret' },
    describe: async () => {
      described++;
      const holders = describe();
      if (holders === null) return null;
      const all = Array.from({ length: PARTITIONS }, () => ({ owner: null, standbys: [] }));
      return all.map((none, partition) =>
        partition === PARTITION ? { ...none, ...holders } : none,
      );
    },
  });
  context.after(() => query.close());
  return { query, described: () => described };
}

const answerOf = async (query: SessionQuery) => {
  const { source, sessions } = (await query.sessionsOf(USER))!;
  return [source, sessions[0]?.sessionId];
};

test('the owner is asked, over one connection, and nobody else', async (context) => {
  const ports = new Set<number | undefined>();
  const owner = await serve(context, (request, response) => {
    ports.add(request.socket.remotePort);
    assert.equal(request.headers.authorization, 'Bearer secret');
    stateOf('state', 'mine')(request, response);
  });
  const standby = await serve(context, stateOf('standby', 'copy'));
  const { query, described } = open(context, () => ({
    owner: owner.url,
    standbys: [standby.url],
  }));
  for (let round = 0; round < 5; round++) {
    assert.deepEqual(await answerOf(query), ['state', 'mine']);
  }
  assert.deepEqual([ports.size, standby.asked.length, described()], [1, 0, 1]);
  assert.equal(owner.asked[0], `/state/${USER}`);
});

test('a standby answers for an owner that is away, hangs, restores or says nonsense', async (context) => {
  const standby = await serve(context, stateOf('standby', 'copy', '2026-01-01T00:00:05.000Z'));
  const gone = await serve(context, says(200, ''));
  gone.end();
  const owners = [
    gone,
    await serve(context, () => {}),
    await serve(context, stateOf('standby', 'restoring')),
    await serve(context, says(200, 'no JSON')),
    await serve(context, says(500, { error: {} })),
  ];
  for (const owner of owners) {
    const { query } = open(context, () => ({ owner: owner.url, standbys: [standby.url] }));
    assert.deepEqual(await answerOf(query), ['standby', 'copy']);
  }
});

test('one that hangs is left alone for a while', async (context) => {
  const owner = await serve(context, () => {});
  const standby = await serve(context, stateOf('standby', 'copy'));
  const { query } = open(context, () => ({ owner: owner.url, standbys: [standby.url] }));
  await answerOf(query);
  assert.deepEqual(await answerOf(query), ['standby', 'copy']);
  assert.deepEqual([owner.asked.length, standby.asked.length], [1, 2]);
});

test('whoever is no longer the owner makes it ask the group anew', async (context) => {
  const former = await serve(context, says(421, { error: { code: 'wrong_owner' } }));
  const owner = await serve(context, stateOf('state', 'mine'));
  let isMoved = false;
  const { query, described } = open(context, () => {
    const holders = { owner: isMoved ? owner.url : former.url };
    isMoved = true;
    return holders;
  });
  // The first answer is what it has to go by.
  await query.status();
  await clock.sleep(300);
  assert.deepEqual(await answerOf(query), ['state', 'mine']);
  assert.equal(described(), 2);
});

test('when nobody can be asked it says so', async (context) => {
  const { query } = open(context, () => null);
  await assert.rejects(query.sessionsOf(USER), { code: 'state_unavailable' });
  const gone = await serve(context, says(200, ''));
  gone.end();
  const { query: second } = open(context, () => ({ owner: gone.url }));
  await assert.rejects(second.sessionsOf(USER), { code: 'state_unavailable' });
  assert.equal(await second.waitVisible(PARTITION, 0, 300), null);
});

test('what this process holds itself is not asked for over HTTP', async (context) => {
  const own = await serve(context, stateOf('state', 'over HTTP'));
  const held: { source: 'state' | 'standby' | null } = { source: 'state' };
  const local: LocalState = {
    url: own.url,
    partitions: () => [],
    query: {
      sessionsOf: async () =>
        held.source === null ? null : { source: held.source, asOfMs: 5, sessions: [] },
      waitVisible: async () => 'published',
    },
  };
  const owner = await serve(context, stateOf('state', 'mine'));
  let holders: Partial<PartitionHolders> = { owner: own.url };
  const { query } = open(context, () => holders, local);
  assert.deepEqual(await answerOf(query), ['state', undefined]);
  assert.equal(await query.waitVisible(PARTITION, 0, 300), 'published');
  held.source = 'standby';
  assert.deepEqual(await answerOf(query), ['standby', undefined]);
  assert.deepEqual(own.asked, []);
  holders = { owner: owner.url, standbys: [own.url] };
  const { query: other } = open(context, () => holders, local);
  assert.deepEqual(await answerOf(other), ['state', 'mine']);
  assert.deepEqual(own.asked, []);
});

test('a write is waited for at its owner, also while it moves', async (context) => {
  const former = await serve(context, says(200, { visibility: null }));
  const owner = await serve(context, says(200, { visibility: 'committed' }));
  let url = former.url;
  const { query } = open(context, () => ({ owner: url }));
  const waiting = query.waitVisible(PARTITION, 7, 5000);
  while (former.asked.length === 0) await clock.sleep(1);
  url = owner.url;
  assert.equal(await waiting, 'committed');
  assert.match(owner.asked[0]!, /^\/partitions\/\d\/visible\?offset=7&waitMs=\d+$/);
});
