/** Membership on a real Kafka: who owns what as members come, go and are suspended. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type KafkaCluster, startKafka, unlessKafka } from '../../test/support/kafka-broker.ts';
import { systemClock } from '../ops/clock.ts';
import { createLogger } from '../ops/logger.ts';
import { type Cluster, connectCluster } from './cluster.ts';
import { type Assignment, Group } from './group.ts';
import { describeGroup } from './group-plan.ts';

const PARTITIONS = 6;

/** A member in this process, with all it was told. */
class Member {
  readonly assignments: Assignment[] = [];
  readonly rejoins: (readonly number[])[] = [];
  readonly group: Group;
  readonly run: Promise<void>;
  /** What a rejoin has to wait for. */
  gate: Promise<void> = Promise.resolve();
  copies = new Map<number, number>();

  constructor(cluster: Cluster, groupId: string, instanceId: string, earlier?: string) {
    this.group = new Group({
      cluster,
      groupId,
      topic: 'user-events',
      partitionCount: PARTITIONS,
      standbys: 1,
      instanceId,
      transactionalId: `lull-${instanceId}`,
      url: `http://${instanceId}:8082`,
      earlierMemberId: earlier ?? null,
      copies: () => this.copies,
      onRejoin: async () => {
        this.rejoins.push(this.newest.owned);
        await this.gate;
      },
      onAssigned: (assignment) => {
        this.assignments.push(assignment);
        const { owned, standby } = assignment;
        this.copies = new Map([...owned, ...standby].map((partition) => [partition, 1]));
      },
    });
    this.run = this.group.run();
  }

  get newest(): Assignment {
    return this.assignments.at(-1)!;
  }

  async has(count: number): Promise<void> {
    while (this.newest?.owned.length !== count) await sleep(20);
  }
}

describe('group on Kafka', { skip: unlessKafka() }, () => {
  let kafka: KafkaCluster;
  let cluster: Cluster;
  const connect = () => {
    const { bootstrapServers } = kafka;
    const logger = createLogger('warn');
    return connectCluster({ bootstrapServers, clientId: 'test', clock: systemClock, logger });
  };
  before(async () => {
    kafka = await startKafka();
    cluster = await connect();
  });
  after(async () => {
    await cluster?.close();
    await kafka?.stop();
  });

  it('gives a lone member everything, and shares it with those who come', async () => {
    const one = new Member(cluster, 'sharing', 'one');
    await one.has(6);
    assert.ok(one.group.isMember);
    assert.deepEqual(one.newest.standby, []);
    const two = new Member(cluster, 'sharing', 'two');
    await Promise.all([one.has(3), two.has(3)]);
    assert.deepEqual(one.rejoins, [[0, 1, 2, 3, 4, 5]]);
    assert.deepEqual(one.newest.standby, two.newest.owned);
    assert.deepEqual(two.newest.standby, one.newest.owned);
    assert.deepEqual(two.newest.predecessors, [], 'its owner ended its transaction itself');

    const members = await describeGroup(cluster, 'sharing');
    const urls = new Map(members.map(({ info, share }) => [info.url, share!.owned]));
    assert.deepEqual(urls.get('http://two:8082'), two.newest.owned);
    const told = await kafka.tool('groups', [
      ...['--bootstrap-server', kafka.bootstrapServers],
      ...['--describe', '--group', 'sharing', '--members', '--verbose'],
    ]);
    assert.match(told, /user-events/, 'Kafka itself can read the assignment');

    await one.group.close();
    await two.has(6);
    assert.deepEqual(two.newest.predecessors, ['lull-one'], 'left: nobody can say how');
    await two.group.close();
    await Promise.all([one.run, two.run]);
  });

  it('holds a rejoin back until the commit under way has ended', async () => {
    const one = new Member(cluster, 'gate', 'one');
    await one.has(6);
    const { promise, resolve } = Promise.withResolvers<void>();
    one.gate = promise;
    const two = new Member(cluster, 'gate', 'two');
    while (one.rejoins.length === 0) await sleep(20);
    await sleep(1000);
    assert.equal(one.assignments.length, 1);
    assert.equal(two.assignments.length, 0);
    assert.ok(one.group.isMember, 'it is heard of meanwhile');
    resolve();
    await Promise.all([one.has(3), two.has(3)]);
    assert.ok(one.newest.generation > one.assignments[0]!.generation);
    await Promise.all([one.group.close(), two.group.close()]);
  });

  it('takes the place of its earlier process at once', async () => {
    const one = new Member(cluster, 'again', 'one');
    const dying = await connect();
    const two = new Member(dying, 'again', 'two');
    await Promise.all([one.has(3), two.has(3)]);
    // As after a kill: it is a member still, and says nothing any more.
    const { memberId } = two.newest;
    await dying.close();
    await assert.rejects(two.run, { code: 'log_closed' });
    const next = new Member(cluster, 'again', 'two', memberId);
    await Promise.all([one.has(3), next.has(3)]);
    assert.deepEqual(next.newest.predecessors, []);
    await Promise.all([one.group.close(), next.group.close()]);
  });
});
