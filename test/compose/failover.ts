/** deploy/cluster.yaml by the real `docker compose`: a processor and a broker die, no event. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { eventually, get, post } from '../support/running-system.ts';
import { type Docker, startDocker, unlessDocker } from './docker.ts';

const GATEWAY = 'http://127.0.0.1:8080';
const FILES = ['deploy/compose.yaml', 'deploy/cluster.yaml'];
const COMPOSE = `docker compose ${FILES.map((file) => `-f ${file}`).join(' ')}`;
/** Enough that some are in every partition, so that each of the two processors owns some. */
const USERS = 40;
const bound = { timeout: 1_800_000 };

interface Active {
  readonly eventCount: number;
}

suite('three brokers and two processors in containers', { skip: unlessDocker(), ...bound }, () => {
  let docker: Docker;
  const users = Array.from({ length: USERS }, (_, number) => `failover-${Date.now()}-${number}`);
  before(async () => {
    process.env['LULL_BACKFILL'] ??= '1h';
    docker = await startDocker(FILES);
    await docker.sh(`${COMPOSE} up --build -d --wait --wait-timeout 1200`);
  }, bound);
  after(async () => {
    await docker?.sh(`${COMPOSE} down -v`);
    await docker?.stop();
  }, bound);

  async function visitAll(): Promise<void> {
    const timestamp = Date.now();
    const visits = users.map((userId) => ({
      userId,
      eventType: 'PAGE_VIEW',
      page: '/',
      timestamp,
    }));
    const { body } = await eventually(
      () => post(GATEWAY, visits),
      ({ status }) => status === 202,
    );
    assert.equal(body.accepted, USERS);
  }

  async function allHave(eventCount: number): Promise<void> {
    for (const userId of users) {
      const { body } = await eventually(
        () => get<Active>(`${GATEWAY}/api/sessions/active/${userId}`),
        (answer) => answer.status === 200 && answer.body.eventCount >= eventCount,
      );
      assert.equal(body.eventCount, eventCount, userId);
    }
  }

  test('every topic has three copies', async () => {
    const topics = '/opt/kafka/bin/kafka-topics.sh --bootstrap-server localhost:9092 --describe';
    const said = await docker.sh(`${COMPOSE} exec -T -e KAFKA_HEAP_OPTS=-Xmx128m kafka ${topics}`);
    const factors = [...said.matchAll(/ReplicationFactor: (\d+)/g)].map(([, factor]) => factor);
    assert.ok(factors.length >= 5, said);
    assert.deepEqual([...new Set(factors)], ['3']);
  });

  test('a processor dies: the other has all of its users at once', bound, async () => {
    await visitAll();
    await allHave(1);
    await docker.sh(`${COMPOSE} kill session-processor`);
    await visitAll();
    await allHave(2);
  });

  test('a broker dies: events are taken and counted all the same', bound, async () => {
    await docker.sh(`${COMPOSE} kill kafka-2`);
    await visitAll();
    await allHave(3);
  });

  test('both come back', bound, async () => {
    await docker.sh(`${COMPOSE} up -d --wait --wait-timeout 600`);
    await visitAll();
    await allHave(4);
  });
});
