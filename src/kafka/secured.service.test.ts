/** Kafka over TLS and SASL, with certificates that sign themselves; and what is refused there. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { type AddressInfo, createServer as createPlainServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createServer } from 'node:tls';
import { makeCertificate } from '../../test/support/certificate.ts';
import { unlessKafka } from '../../test/support/kafka-broker.ts';
import { newTopic } from '../../test/support/kafka-client.ts';
import {
  KAFKA_PASSWORD,
  KAFKA_USER,
  type SecuredKafka,
  startSecuredKafka,
} from '../../test/support/secured-kafka.ts';
import { openKafkaTopic } from '../log/kafka-topic.ts';
import { readAll, record } from '../log/log.contract.ts';
import { systemClock } from '../ops/clock.ts';
import { createLogger } from '../ops/logger.ts';
import { type ClusterOptions, connectCluster } from './cluster.ts';

type Way = Pick<ClusterOptions, 'tls' | 'sasl'>;

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;

describe('a cluster that asks who is there', { skip: unlessKafka() }, () => {
  let kafka: SecuredKafka;
  let ca: Buffer;
  before(async () => {
    kafka = await startSecuredKafka();
    ca = readFileSync(kafka.certificate.certificate);
  });
  after(() => kafka?.stop());

  const connect = (protocol: keyof SecuredKafka['servers'], way: Way, signal?: AbortSignal) => {
    const options = { clientId: 'lull-test', clock: systemClock, logger: createLogger('silent') };
    const bootstrapServers = kafka.servers[protocol];
    return connectCluster({ ...options, bootstrapServers, ...way }, signal);
  };
  const sasl = (mechanism: (typeof MECHANISMS)[number], password = KAFKA_PASSWORD) => ({
    ...{ mechanism, username: KAFKA_USER, password },
  });
  const ours = () => ({
    cert: readFileSync(kafka.ours.certificate),
    key: readFileSync(kafka.ours.key),
  });
  const refused = (connecting: Promise<unknown>, message: RegExp) =>
    assert.rejects(connecting, { code: 'kafka_refused', message });

  /** A topic is made, written and read: over every kind of connection that there is. */
  async function works(protocol: keyof SecuredKafka['servers'], way: Way): Promise<void> {
    const cluster = await connect(protocol, way);
    const topic = await openKafkaTopic({ cluster, topic: await newTopic(cluster) });
    await topic.append([record(0, 'ada', 'first'), record(0, 'ada', 'second')]);
    const values = (await readAll(topic, 0)).map(({ value }) => Buffer.from(value).toString());
    assert.deepEqual(values, ['first', 'second']);
    await topic.close();
    await cluster.close();
  }

  for (const mechanism of MECHANISMS) {
    it(`lets in by ${mechanism}, over TLS and without`, async () => {
      await works('SASL_SSL', { tls: { ca }, sasl: sasl(mechanism) });
      await works('SASL_PLAINTEXT', { sasl: sasl(mechanism) });
    });

    it(`refuses a wrong password by ${mechanism}, once and without repeating it`, async () => {
      const way = { tls: { ca }, sasl: sasl(mechanism, 'not-the-password') };
      await assert.rejects(connect('SASL_SSL', way), (error: Error & { code: string }) => {
        assert.equal(error.code, 'kafka_refused');
        assert.doesNotMatch(error.message, /not-the-password/);
        return true;
      });
    });
  }

  it('lets in by a certificate of ours, and nobody without one', async () => {
    await works('SSL', { tls: { ca, ...ours() } });
    await refused(connect('SSL', { tls: { ca } }), /certificate|ALERT/i);
  });

  it('is refused when nobody that we trust vouches for its certificate', async () => {
    await refused(connect('SASL_SSL', { tls: {}, sasl: sasl('PLAIN') }), /SELF_SIGNED/);
    const stranger = readFileSync(kafka.ours.certificate);
    await refused(connect('SASL_SSL', { tls: { ca: stranger }, sasl: sasl('PLAIN') }), /CERT/);
  });

  it('is refused under a name that its certificate does not have', async () => {
    const bootstrapServers = kafka.servers.SASL_SSL.replace('127.0.0.1', 'localhost');
    const options = { clientId: 'lull-test', clock: systemClock, logger: createLogger('silent') };
    const way = { tls: { ca }, sasl: sasl('PLAIN') };
    await refused(connectCluster({ ...options, bootstrapServers, ...way }), /ALTNAME/);
  });

  it('that hangs up on a handshake later on is waited for', async () => {
    const cluster = await connect('SASL_SSL', { tls: { ca }, sasl: sasl('PLAIN') });
    const { name } = await newTopic(cluster);
    await kafka.kafka.kill(1);
    let hangUps = 0;
    const rude = createPlainServer((socket) => {
      hangUps++;
      socket.destroy();
    });
    rude.listen(Number(kafka.servers.SASL_SSL.split(':')[1]), '127.0.0.1');
    await once(rude, 'listening');
    const asking = cluster.retry(() => cluster.refresh(name));
    while (hangUps < 3) await Promise.race([asking, systemClock.sleep(20)]);
    rude.close();
    await once(rude, 'close');
    await kafka.kafka.restart(1);
    assert.equal((await asking).name, name);
    await cluster.close();
  });
});

it('a broker is told under which name it is asked for, as those behind one address need', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lull-name-'));
  const { certificate, key } = await makeCertificate(folder, 'named', ['DNS:localhost']);
  const giveUp = new AbortController();
  const cert = readFileSync(certificate);
  const server = createServer({ cert, key: readFileSync(key) });
  const named = new Promise((resolve) => {
    server.on('secureConnection', (socket) => {
      resolve(socket.servername);
      socket.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const connecting = connectCluster(
    {
      ...{ clientId: 'lull-test', clock: systemClock, logger: createLogger('silent') },
      ...{ bootstrapServers: `localhost:${(server.address() as AddressInfo).port}` },
      tls: { ca: cert },
    },
    giveUp.signal,
  );
  const ended = assert.rejects(connecting, /enough/);
  assert.equal(await named, 'localhost');
  giveUp.abort(new Error('enough'));
  await ended;
  server.close();
  await rm(folder, { recursive: true });
});
