/** Live sessions on a real Redis: the contract, what lies there, and several processes. */
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RedisServer, startRedis, unlessRedis } from '../../test/support/redis-server.ts';
import type { SessionRecord } from '../core/output.ts';
import { type Clock, systemClock } from '../ops/clock.ts';
import { LIVE_UNDER_TEST, liveContract, sessionOf } from './live.contract.ts';
import type { LiveAnswer, LivePage } from './live.ts';
import { openRedisLive, type RedisLiveOptions } from './redis-live.ts';

const skip = unlessRedis();

function encode(session: SessionRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(session));
}

function decode(_userId: string, bytes: Uint8Array): SessionRecord {
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** Real but for the wall, which stands until it is moved. */
class StandingWall implements Clock {
  wallMs = Date.UTC(2026, 10, 23, 10);
  nowMs = () => this.wallMs;
  monotonicMs = systemClock.monotonicMs;
  sleep = systemClock.sleep;
}

let logs = 0;

/** A log of its own, so that nothing of another test is seen. */
function newLog(server: RedisServer): Omit<RedisLiveOptions, 'clock'> {
  return { url: server.url, logId: `log-${++logs}`, partitionCount: 3, decode, ...LIVE_UNDER_TEST };
}

/** Lets time go by in Redis: everything that expires does so earlier. */
async function advance(server: RedisServer, logId: string, durationMs: number): Promise<void> {
  const script = `
    for _, key in ipairs(redis.call('KEYS', 'lull:1:' .. ARGV[1] .. ':*')) do
      if string.find(key, ':expiries:', 1, true) then
        local all = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
        for i = 1, #all, 2 do
          redis.call('ZADD', key, string.format('%.0f', all[i + 1] - ARGV[2]), all[i])
        end
      end
      redis.call('PEXPIREAT', key, string.format('%.0f', redis.call('PEXPIRETIME', key) - ARGV[2]))
    end`;
  await server.cli('EVAL', script, '0', logId, `${durationMs}`);
}

describe('live on Redis', { skip }, () => {
  let server: RedisServer;
  before(async () => {
    server = await startRedis();
  });
  after(() => server.dispose());

  const make = async () => {
    const clock = new StandingWall();
    const options = newLog(server);
    const live = await openRedisLive({ ...options, clock });
    return {
      live,
      encode,
      nowMs: clock.nowMs,
      earlyMs: 60_000,
      async advance(durationMs: number) {
        clock.wallMs += durationMs;
        await advance(server, options.logId, durationMs);
        // Whatever Redis has told this connection before has arrived with this answer.
        await live.get('nobody', true);
      },
      listening: () => subscribers(options.logId, 1),
      async dispose() {},
    };
  };
  liveContract('the contract', make, 15);

  /** A Live of its own Redis or of the common one, closed with the test. */
  const open = async (t: TestContext, options: RedisLiveOptions) => {
    const live = await openRedisLive(options);
    t.after(() => live.close());
    return live;
  };
  const update = (session: SessionRecord) => ({
    userId: session.userId,
    session: encode(session),
  });

  it('keeps values and markers for exactly their time, under the keys of the docs', async (t) => {
    const options = { ...newLog(server), clock: systemClock };
    const live = await open(t, options);
    const sessions = [sessionOf('a', 1000, { sessionId: 'one' }), sessionOf('b', 2000)];
    await live.publish(1, 7, sessions.map(update));
    await live.publish(1, 8, [{ userId: 'b', session: null }]);
    await live.refill(2, 3, (async function* () {})());
    const root = `lull:1:${options.logId}`;
    const keys = (await server.cli('KEYS', `${root}:*`)).split('\n').sort();
    assert.deepEqual(keys, [
      `${root}:ends`,
      `${root}:expiries:1`,
      `${root}:positions`,
      `${root}:session:one`,
      `${root}:user:a`,
      `${root}:user:b`,
    ]);
    const at = Number(await server.cli('PEXPIRETIME', `${root}:user:a`));
    const published = JSON.parse((await server.cli('GET', `${root}:user:a`)).split('\n')[0]!);
    assert.deepEqual(published, [7, 1, published[2], endOf(sessions[0]!), 1, 0, 0, 'one', null]);
    assert.ok(at - options.ttlMs - published[2] < 60_000, 'from when it was published');
    assert.equal(await server.cli('ZSCORE', `${root}:expiries:1`, 'a'), `${at}`);
    assert.equal(await server.cli('PEXPIRETIME', `${root}:session:one`), `${at}`);
    const marker = await server.cli('GET', `${root}:user:b`);
    assert.deepEqual(JSON.parse(marker).slice(0, 2), [8, 1]);
    const indexAt = Number(await server.cli('PEXPIRETIME', `${root}:ends`));
    assert.ok(indexAt >= at, 'an index lives as long as what is in it');
    assert.ok(Number(await server.cli('PEXPIRETIME', `${root}:user:b`)) >= at);
    assert.equal(await server.cli('ZRANGE', `${root}:ends`, '0', '-1'), 'a');
    assert.equal(await server.cli('HGETALL', `${root}:positions`), '2\n3');
  });

  it('has nothing to do with what another log or system left', async (t) => {
    const clock = systemClock;
    const old = await open(t, { ...newLog(server), clock });
    const other = { ...newLog(server), clock, logId: 'shared' };
    const live = await open(t, other);
    const neighbour = await open(t, { ...other, prefix: 'neighbour' });
    await old.refill(
      0,
      100,
      (async function* () {
        yield [update(sessionOf('a', 1))];
      })(),
    );
    assert.equal(await live.publishedPosition(0), null);
    await live.publish(0, 1, [update(sessionOf('a', 5))]);
    await old.publish(0, 101, [{ userId: 'a', session: null }]);
    await old.publish(0, 102, [update(sessionOf('b', 5))]);
    assert.equal((await live.get('a', true))!.session.durationSeconds, 0.005);
    assert.equal(await live.size(), 1);
    assert.equal((await live.list({}, 10, null)).items.length, 1);
    assert.equal(await neighbour.get('a'), null);
    assert.equal(await neighbour.size(), 0);
  });

  it('says whether this process had it, and hears when others change it', async (t) => {
    const options = { ...newLog(server), clock: systemClock };
    const [reader, writer] = [await open(t, options), await open(t, options)];
    let decoded = 0;
    const counted = (userId: string, bytes: Uint8Array) => {
      decoded++;
      return decode(userId, bytes);
    };
    const counting = await open(t, { ...options, decode: counted });
    await writer.publish(0, 1, [update(sessionOf('a', 1))]);
    for (const source of ['redis', 'process', 'process']) {
      assert.equal((await counting.get('a'))!.source, source);
      assert.equal((await reader.get('a'))!.source, source);
    }
    assert.equal(decoded, 1);
    assert.equal((await reader.get('a', true))!.source, 'redis');
    const heard: Promise<unknown>[] = [];
    const stop = reader.onChange(({ userId }) => heard.push(reader.get(userId)));
    await subscribers(options.logId, 1);
    await writer.publish(0, 2, [update(sessionOf('a', 2))]);
    while (heard.length === 0) await sleep(1);
    stop();
    const { session } = (await heard[0]) as LiveAnswer;
    assert.equal(session.endTime, sessionOf('a', 2).endTime, 'staleness is told before the change');
    await writer.publish(0, 3, [{ userId: 'a', session: null }]);
    assert.equal(await reader.get('a', true), null);
  });

  it('publishes and lists ten thousand users in bounded steps', async (t) => {
    const options = { ...newLog(server), clock: systemClock };
    const live = await open(t, options);
    const users = Array.from({ length: 10_000 }, (_, n) =>
      sessionOf(`user-${n}`, (n * 7919) % 5000, { eventCount: n % 100 }),
    );
    const steps = async (work: () => Promise<unknown>) => {
      const before = await scriptsRun(server);
      await work();
      return (await scriptsRun(server)) - before;
    };
    assert.ok((await steps(() => live.publish(0, 1, users.map(update)))) >= users.length / 100);
    assert.equal(await live.size(), users.length);
    const seen = new Set<string>();
    let last = Infinity;
    for (let cursor: string | null = null, page = 0; page === 0 || cursor !== null; page++) {
      const found: LivePage = await live.list({ minEvents: 98 }, 15, cursor);
      for (const { session } of found.items) {
        assert.ok(endOf(session) <= last);
        last = endOf(session);
        seen.add(session.userId);
      }
      cursor = found.nextCursor;
    }
    assert.equal(seen.size, 200);
    assert.deepEqual((await live.list({ hasCart: true }, 10, null)).items, []);
    assert.ok((await steps(() => live.list({ hasCart: true }, 10, null))) >= users.length / 200);
    assert.equal(await steps(() => live.list({}, 50, null)), 1, 'a page without a filter');
  });

  it('goes on when the scripts are gone', async (t) => {
    const live = await open(t, { ...newLog(server), clock: systemClock });
    await live.publish(0, 1, [update(sessionOf('a', 1))]);
    await server.cli('SCRIPT', 'FLUSH');
    await live.publish(0, 2, [update(sessionOf('a', 2))]);
    assert.equal((await live.get('a'))!.session.endTime, sessionOf('a', 2).endTime);
    assert.equal((await live.list({}, 1, null)).items.length, 1);
  });

  it('does not take back what a new owner has published, nor fill over it', async (t) => {
    const options = { ...newLog(server), clock: systemClock };
    const [old, owner] = [await open(t, options), await open(t, options)];
    await old.refill(
      0,
      5,
      (async function* () {
        yield [update(sessionOf('closed', 1))];
      })(),
    );
    assert.equal(await owner.publishedPosition(0), 5);
    assert.equal(await owner.publish(0, 9, [{ userId: 'closed', session: null }]), true);
    const asked: number[] = [];
    old.onRefillNeeded((partition) => asked.push(partition));
    assert.equal(await old.publish(0, 6, [update(sessionOf('closed', 6))]), false);
    async function* stale() {
      yield [update(sessionOf('closed', 1)), update(sessionOf('never', 1))];
    }
    assert.equal(await old.refill(0, 6, stale()), false);
    assert.equal(await old.get('closed', true), null);
    assert.equal(await old.get('never', true), null);
    assert.equal(await owner.publishedPosition(0), 9);
    assert.deepEqual(asked, []);
  });

  it('claims no position over what was missing when the partition was taken up', async (t) => {
    const options = { ...newLog(server), clock: systemClock };
    const [old, owner, next] = await Promise.all([1, 2, 3].map(() => open(t, options)));
    const state = async function* () {
      yield [update(sessionOf('a', 1))];
    };
    assert.equal(await old!.refill(0, 5, state()), true);
    // Its state is further on than what has been published, and it dies before it has filled in.
    assert.equal(await owner!.publishedPosition(0, 8), 5);
    assert.equal(await owner!.publish(0, 9, [update(sessionOf('b', 1))]), false);
    assert.equal(await next!.publishedPosition(0, 9), 5);
    assert.equal(await next!.refill(0, 9, state()), true);
    assert.equal(await next!.publish(0, 10, [update(sessionOf('b', 2))]), true);
  });

  /** Until so many processes listen to a log. */
  async function subscribers(logId: string, count: number): Promise<void> {
    const channel = `lull:1:${logId}:changes`;
    while (!(await server.cli('PUBSUB', 'NUMSUB', channel)).endsWith(`\n${count}`)) await sleep(5);
  }
});

const endOf = ({ endTime }: SessionRecord) => Date.parse(endTime);

/** Scripts that Redis has run. */
async function scriptsRun(server: RedisServer): Promise<number> {
  const stats = await server.cli('INFO', 'commandstats');
  const counts = [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}
