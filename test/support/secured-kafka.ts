/** A broker that asks who is there, by SASL and by certificate, each on a port of its own. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Certificate, makeCertificate } from './certificate.ts';
import { type BrokerSettings, type KafkaCluster, startKafka } from './kafka-broker.ts';

export const KAFKA_USER = 'lull';
export const KAFKA_PASSWORD = 'kafka-secret-4711';

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'];

/** Everything needs a right, but for those who come without TLS and SASL: the broker, the tests. */
const GUARDED: BrokerSettings = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'super.users': 'User:ANONYMOUS',
};

export interface SecuredKafka {
  /** `host:port`, by protocol. */
  readonly servers: Readonly<Record<'SSL' | 'SASL_SSL' | 'SASL_PLAINTEXT' | 'PLAINTEXT', string>>;
  /** The broker itself. */
  readonly kafka: KafkaCluster;
  /** The broker's, signed by itself; for 127.0.0.1 alone. */
  readonly certificate: Certificate;
  /** What the port for TLS without SASL asks of its clients. */
  readonly ours: Certificate;
  stop(): Promise<void>;
}

/** `rights`: those that the user has, as options of kafka-acls, one list each; without it, all. */
export async function startSecuredKafka(rights?: readonly string[]): Promise<SecuredKafka> {
  const folder = mkdtempSync(join(tmpdir(), 'lull-secured-'));
  const certificate = await makeCertificate(folder, 'broker', ['IP:127.0.0.1']);
  const ours = await makeCertificate(folder, 'client', ['DNS:client']);
  let base = 0;
  const settings = (port: number) => {
    base = port;
    const guarded = rights === undefined ? {} : GUARDED;
    return { ...securedSettings(port, certificate, ours), ...guarded };
  };
  const kafka = await startKafka({ settings });
  await addUser(kafka);
  for (const right of rights ?? []) await addRight(kafka, right);
  const at = (offset: number) => `127.0.0.1:${base + offset}`;
  return {
    kafka,
    servers: { PLAINTEXT: at(0), SSL: at(2), SASL_SSL: at(3), SASL_PLAINTEXT: at(4) },
    certificate,
    ours,
    stop: async () => {
      await kafka.stop();
      await rm(folder, { recursive: true });
    },
  };
}

function securedSettings(port: number, broker: Certificate, ours: Certificate): BrokerSettings {
  const at = (offset: number) => `127.0.0.1:${port + offset}`;
  const clients = [`PLAINTEXT://${at(0)}`, `SSL://${at(2)}`, `SASL_SSL://${at(3)}`];
  clients.push(`SASL_PLAINTEXT://${at(4)}`);
  const protocols = ['PLAINTEXT', 'SSL', 'SASL_SSL', 'SASL_PLAINTEXT'];
  const modules = 'org.apache.kafka.common.security';
  const plain = `${modules}.plain.PlainLoginModule required user_${KAFKA_USER}="${KAFKA_PASSWORD}";`;
  const scram = `${modules}.scram.ScramLoginModule required;`;
  const sasl = ['sasl_ssl', 'sasl_plaintext'].flatMap((listener) => [
    [`listener.name.${listener}.sasl.enabled.mechanisms`, MECHANISMS.join(',')],
    ...MECHANISMS.map((mechanism) => [
      `listener.name.${listener}.${mechanism.toLowerCase()}.sasl.jaas.config`,
      mechanism === 'PLAIN' ? plain : scram,
    ]),
  ]);
  return {
    listeners: [...clients, `CONTROLLER://${at(1)}`].join(','),
    'advertised.listeners': clients.join(','),
    'listener.security.protocol.map': ['CONTROLLER:PLAINTEXT']
      .concat(protocols.map((name) => `${name}:${name}`))
      .join(','),
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': broker.both,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': ours.certificate,
    'listener.name.ssl.ssl.client.auth': 'required',
    ...Object.fromEntries(sasl),
  };
}

/** PLAIN's users stand in the settings, those of SCRAM in the cluster's metadata. */
async function addUser(kafka: KafkaCluster): Promise<void> {
  for (const mechanism of MECHANISMS.slice(1)) {
    await kafka.tool('kafka.admin.ConfigCommand', [
      ...['--bootstrap-server', kafka.bootstrapServers, '--alter', '--entity-type', 'users'],
      ...['--entity-name', KAFKA_USER, '--add-config', `${mechanism}=[password=${KAFKA_PASSWORD}]`],
    ]);
  }
}

async function addRight(kafka: KafkaCluster, right: string): Promise<void> {
  await kafka.tool('org.apache.kafka.tools.AclCommand', [
    ...['--bootstrap-server', kafka.bootstrapServers, '--add', '--force'],
    ...['--allow-principal', `User:${KAFKA_USER}`, ...right.split(' ')],
  ]);
}
