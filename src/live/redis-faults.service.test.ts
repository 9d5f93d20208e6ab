/** Redis killed, emptied, held up, full, or unwilling: what publishing and reading make of it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type RedisOptions,
  type RedisServer,
  startRedis,
  unlessRedis,
} from '../../test/support/redis-server.ts';
import { seededRandom } from '../../test/support/seeded-random.ts';
import type { SessionRecord } from '../core/output.ts';
import { systemClock } from '../ops/clock.ts';
import type { Logger } from '../ops/logger.ts';
import { LIVE_UNDER_TEST, sessionOf } from './live.contract.ts';
import { openRedisLive, type RedisLive, type RedisLiveOptions } from './redis-live.ts';

const skip = unlessRedis();
const UNAVAILABLE = { code: 'live_unavailable' };

interface Line {
  readonly level: string;
  readonly text: string;
  readonly reason: string;
}

/** Settings for a Live of this server, and the lines that it logs. */
function settings(server: RedisServer): { options: RedisLiveOptions; lines: Line[] } {
  const lines: Line[] = [];
  const logger = {
    error: (fields: { reason: string }, text: string) =>
      lines.push({ level: 'error', text, reason: fields.reason }),
    info: (text: string) => lines.push({ level: 'info', text, reason: '' }),
  } as unknown as Logger;
  const options: RedisLiveOptions = {
    url: server.url,
    ca: server.certificate ?? undefined,
    logId: 'log',
    partitionCount: 2,
    decode: (_userId, bytes) => JSON.parse(new TextDecoder().decode(bytes)),
    clock: systemClock,
    logger,
    ...LIVE_UNDER_TEST,
  };
  return { options, lines };
}

async function start(t: TestContext, options: RedisOptions = {}): Promise<RedisServer> {
  const server = await startRedis(options);
  t.after(() => server.dispose());
  return server;
}

/** An owner as the processor is one: its state, published from then on. */
class Owner {
  readonly live: RedisLive;
  readonly #state = new Map<string, SessionRecord>();
  #position = 0;
  fillings = 0;
  betweenScans: () => Promise<unknown> = async () => {};

  constructor(live: RedisLive) {
    this.live = live;
    live.onRefillNeeded(() => void this.fill());
  }

  async fill(): Promise<boolean> {
    this.fillings++;
    return this.live.refill(0, this.#position, this.#scan());
  }

  async *#scan() {
    for (const session of [...this.#state.values()]) {
      yield [update(session)];
      await this.betweenScans();
    }
  }

  commit(...sessions: SessionRecord[]): Promise<boolean> {
    for (const session of sessions) this.#state.set(session.userId, session);
    return this.live.publish(0, ++this.#position, sessions.map(update));
  }

  close(userId: string): Promise<boolean> {
    this.#state.delete(userId);
    return this.live.publish(0, ++this.#position, [{ userId, session: null }]);
  }

  /** Until all that was committed is published. */
  async isPublished(): Promise<void> {
    while ((await this.live.publishedPosition(0)) !== this.#position) await sleep(20);
  }
}

function update(session: SessionRecord) {
  return { userId: session.userId, session: new TextEncoder().encode(JSON.stringify(session)) };
}

async function open(t: TestContext, options: RedisLiveOptions): Promise<RedisLive> {
  const live = await openRedisLive(options);
  t.after(() => live.close());
  return live;
}

async function openOwner(t: TestContext, options: RedisLiveOptions): Promise<Owner> {
  const owner = new Owner(await open(t, options));
  assert.equal(await owner.fill(), true);
  return owner;
}

const endOf = async (live: RedisLive, userId: string) =>
  (await live.get(userId, true))?.session.endTime ?? null;
const at = (endMs: number) => sessionOf('', endMs).endTime;

describe('Redis that fails', { skip, concurrency: false }, () => {
  it('is filled again from the state after it was killed and came back empty', async (t) => {
    const server = await start(t);
    const { options, lines } = settings(server);
    const owner = await openOwner(t, options);
    const gateway = await open(t, { ...options, logger: undefined });
    const heard: string[] = [];
    gateway.onChange(({ userId }) => heard.push(userId));
    assert.equal(await owner.commit(sessionOf('a', 1), sessionOf('b', 1), sessionOf('c', 1)), true);
    assert.equal(await endOf(gateway, 'a'), at(1));

    await server.kill();
    while (owner.live.problem() === null || gateway.problem() === null) await sleep(5);
    for (const read of [gateway.get('a'), gateway.session('x'), gateway.list({}, 1, null)]) {
      await assert.rejects(read, UNAVAILABLE);
    }
    await assert.rejects(gateway.size(), UNAVAILABLE);
    assert.equal(await owner.commit(sessionOf('b', 2)), false);
    assert.equal(await owner.close('c'), false);
    assert.equal(await owner.live.publishedPosition(0), null);

    await server.start();
    await owner.isPublished();
    while (gateway.problem() !== null) await sleep(5);
    const ends = ['a', 'b', 'c'].map((userId) => endOf(gateway, userId));
    assert.deepEqual(await Promise.all(ends), [at(1), at(2), null]);
    assert.equal(await gateway.size(), 2);
    assert.equal(await owner.commit(sessionOf('d', 4)), true);
    while (!heard.includes('d')) await sleep(5);
    assert.deepEqual(
      lines.map(({ level, text }) => [level, text.replace(/\d+/g, 'N')]),
      [
        ['error', "Redis at redis://N.N.N.N:N can't be used: trying again"],
        ['info', 'Redis is back'],
      ],
    );
  });

  it('is filled also when nothing is committed after it came back empty', async (t) => {
    const server = await start(t);
    const { options } = settings(server);
    const owner = await openOwner(t, options);
    await owner.commit(sessionOf('a', 1));
    await server.stop();
    await server.start();
    await owner.isPublished();
    assert.equal(await endOf(owner.live, 'a'), at(1));
  });

  it('is filled when somebody has emptied it', async (t) => {
    const server = await start(t);
    const owner = await openOwner(t, settings(server).options);
    await owner.commit(sessionOf('a', 1));
    await server.cli('FLUSHALL');
    assert.equal(await owner.commit(sessionOf('b', 1)), false);
    await owner.isPublished();
    assert.equal(await endOf(owner.live, 'a'), at(1));
    assert.equal(await endOf(owner.live, 'b'), at(1));
  });

  it('is filled anew when it loses something in the middle of a filling', async (t) => {
    const server = await start(t);
    const owner = await openOwner(t, settings(server).options);
    await owner.commit(sessionOf('a', 1), sessionOf('b', 1));
    owner.betweenScans = () => server.cli('FLUSHALL');
    assert.equal(await owner.fill(), false);
    owner.betweenScans = async () => {};
    await owner.isPublished();
    assert.equal(await endOf(owner.live, 'a'), at(1));
    assert.equal(await endOf(owner.live, 'b'), at(1));
  });

  it('keeps nobody waiting while it stands still, and is up to date afterwards', async (t) => {
    const server = await start(t);
    const { options } = settings(server);
    const owner = await openOwner(t, options);
    await owner.commit(sessionOf('a', 1), sessionOf('closed', 1));
    server.freeze();
    await assert.rejects(owner.live.get('other'), UNAVAILABLE);
    assert.equal(await owner.close('closed'), false);
    assert.equal(await owner.commit(sessionOf('a', 2)), false);
    for (let count = 0; count < 1000; count++) {
      await assert.rejects(owner.live.get('other'), UNAVAILABLE);
      await owner.commit(sessionOf('a', 3 + count));
    }
    // Longer than a silent connection is kept.
    await sleep(4000);
    server.thaw();
    await owner.isPublished();
    while (owner.live.problem() !== null) await sleep(5);
    assert.equal(await endOf(owner.live, 'a'), at(1002));
    assert.equal(await endOf(owner.live, 'closed'), null);
  });

  it('is filled, and said to be full, when it is out of memory', async (t) => {
    const server = await start(t);
    const { options, lines } = settings(server);
    const owner = await openOwner(t, options);
    await owner.commit(sessionOf('a', 1));
    await server.cli('CONFIG', 'SET', 'maxmemory', '1mb');
    assert.equal(await owner.commit(sessionOf('a', 2)), false);
    assert.equal(await endOf(owner.live, 'a'), at(1), 'what is there can still be read');
    await owner.commit(sessionOf('a', 3));
    while (owner.fillings < 3) await owner.commit(sessionOf('a', 4)).then(() => sleep(20));
    assert.match(owner.live.problem()!, /OOM/);
    await server.cli('CONFIG', 'SET', 'maxmemory', '0');
    await owner.isPublished();
    assert.equal(await endOf(owner.live, 'a'), at(4));
    assert.equal(owner.live.problem(), null);
    assert.equal(lines.filter(({ level }) => level === 'error').length, 1);
    assert.match(lines[0]!.reason, /OOM/);
  });

  it('cuts off a subscriber that stands still, and nobody else', async (t) => {
    const limits = { 'client-output-buffer-limit': 'pubsub 4mb 4mb 1' };
    const server = await start(t, { settings: limits });
    const owner = await openOwner(t, settings(server).options);
    const channel = 'lull:1:log:changes';
    const stuck = connect(server.port, '127.0.0.1');
    t.after(() => stuck.destroy());
    stuck.on('error', () => {});
    stuck.write(`SUBSCRIBE ${channel}\r\n`);
    const heard: string[] = [];
    owner.live.onChange(({ userId }) => heard.push(userId));
    const listeners = async () =>
      Number((await server.cli('PUBSUB', 'NUMSUB', channel)).split('\n')[1]);
    while ((await listeners()) < 2) await sleep(5);
    stuck.pause();
    const page = 'x'.repeat(2000);
    for (let turn = 1; (await listeners()) === 2; turn++) {
      const many = Array.from({ length: 500 }, (_, n) =>
        sessionOf(`user-${n}`, turn, { entryPage: page }),
      );
      assert.equal(await owner.commit(...many), true);
      while (heard.length < turn * many.length) await sleep(1);
    }
    assert.equal(await listeners(), 1);
    assert.equal(owner.fillings, 1);
  });
});

describe('Redis killed at random moments', { skip }, () => {
  it('has what the state has once it is left alone', async (t) => {
    const seed = Number(process.env['SEED'] ?? Date.now());
    t.diagnostic(`SEED=${seed}`);
    const random = seededRandom(seed);
    const server = await start(t);
    const { options } = settings(server);
    const owner = await openOwner(t, options);
    const gateway = await open(t, { ...options, logger: undefined });
    const users = Array.from({ length: 300 }, (_, n) => `user-${n}`);
    const expected = new Map<string, string>();
    const isOver = new AbortController();
    const killing = (async () => {
      for (let kills = 0; kills < 6; kills++) {
        await sleep(random() * 150);
        await server.kill();
        await sleep(random() * 100);
        await server.start();
        await sleep(random() * 300);
        if (random() < 0.5) await server.cli('FLUSHALL');
      }
      isOver.abort();
    })();
    for (let turn = 1; !isOver.signal.aborted; turn++) {
      const changed = users.filter(() => random() < 0.5);
      await owner.commit(...changed.map((userId) => sessionOf(userId, turn)));
      for (const userId of changed) expected.set(userId, at(turn));
      const closed = users[Math.floor(random() * users.length)]!;
      await owner.close(closed);
      expected.delete(closed);
      await gateway.get(closed).catch(() => null);
      await sleep(random() * 5);
    }
    await killing;
    await owner.isPublished();
    while (gateway.problem() !== null) await sleep(5);
    for (const userId of users) {
      assert.equal(await endOf(gateway, userId), expected.get(userId) ?? null, userId);
    }
    assert.equal(await gateway.size(), expected.size);
    const page = await gateway.list({}, 1000, null);
    assert.deepEqual(
      page.items.map(({ session }) => session.userId).sort(),
      [...expected.keys()].sort(),
    );
  });
});

describe('Redis at the start', { skip }, () => {
  const refused = (options: RedisLiveOptions, reason: RegExp) =>
    assert.rejects(openRedisLive(options), { code: 'live_refused', message: reason });

  it('works with TLS and a password, and refuses what does not fit, once', async (t) => {
    const server = await start(t, { tls: true, password: 'secret' });
    const { options, lines } = settings(server);
    const owner = await openOwner(t, options);
    await owner.commit(sessionOf('a', 1));
    assert.equal(await endOf(owner.live, 'a'), at(1));
    const { url } = options;
    await refused({ ...options, url: url.replace('secret', 'wrong') }, /WRONGPASS/);
    await refused({ ...options, url: url.replace(':secret@', '') }, /NOAUTH/);
    await refused({ ...options, ca: undefined }, /certificate/);
    assert.deepEqual(lines, []);
  });

  it('gets by with the rights that the docs name', async (t) => {
    const server = await start(t);
    const rights = /^ {4}(~lull.*)$/m.exec(readFileSync('docs/redis.md', 'utf8'))![1]!;
    await server.cli('ACL', 'SETUSER', 'some', 'on', '>secret', ...rights.split(' '));
    await server.cli('ACL', 'SETUSER', 'default', 'off');
    const { options } = settings(server);
    const url = options.url.replace('//', '//some:secret@');
    const owner = await openOwner(t, { ...options, url });
    const heard = new Promise((resolve) => owner.live.onChange(resolve));
    const told = heard.then(() => true);
    for (let turn = 1; !(await Promise.race([told, sleep(20, false)])); turn++) {
      assert.equal(await owner.commit(sessionOf('a', turn)), true);
    }
    assert.equal((await owner.live.list({}, 1, null)).items.length, 1);
    assert.equal(await owner.live.size(), 1);
    assert.equal((await owner.live.session('session of a'))!.session.userId, 'a');
    await refused({ ...options, url: `${url}/no-number` }, /pathname/);
  });

  it('waits for one that is not there yet, and says so', async (t) => {
    const server = await start(t, { isStopped: true });
    const { options, lines } = settings(server);
    const opening = open(t, options);
    while (lines.length === 0) await sleep(5);
    assert.match(lines[0]!.reason, /ECONNREFUSED/);
    await sleep(300);
    await server.start();
    assert.equal(await (await opening).get('a'), null);
    assert.deepEqual(
      lines.map(({ level }) => level),
      ['error', 'info'],
    );
  });

  it('is no longer waited for when the system is stopped', async (t) => {
    const server = await start(t, { isStopped: true });
    const stop = new AbortController();
    const opening = openRedisLive({ ...settings(server).options, signal: stop.signal });
    setTimeout(() => stop.abort(), 50);
    await assert.rejects(opening, UNAVAILABLE);
  });
});
