/** All records of a topic as Kafka's own console consumer reads them, committed ones only. */
import type { LogRecord } from '../../src/log/log.ts';
import type { KafkaCluster } from '../support/kafka-broker.ts';

/** How long it waits for more before it takes the topic to be read. */
const IDLE_MS = 5000;

/** By partition, in order. */
export async function readTopic(
  kafka: KafkaCluster,
  topic: string,
  partitionCount: number,
): Promise<LogRecord[][]> {
  const shown = ['timestamp', 'partition', 'offset', 'key'].map((name) => `print.${name}=true`);
  const output = await kafka.tool('console-consumer', [
    ...['--bootstrap-server', kafka.bootstrapServers, '--topic', topic, '--from-beginning'],
    ...['--isolation-level', 'read_committed', '--timeout-ms', `${IDLE_MS}`],
    ...shown.flatMap((property) => ['--formatter-property', property]),
  ]);
  const partitions = Array.from({ length: partitionCount }, (): LogRecord[] => []);
  for (const line of output.split('\n')) {
    if (line === '') continue;
    const { partition, record } = recordOf(line);
    partitions[partition]!.push(record);
  }
  for (const records of partitions) records.sort((one, other) => one.offset - other.offset);
  return partitions;
}

/** `LogAppendTime:1790000000000 Partition:3 Offset:17 user-1 {…}`, with tabs between. */
function recordOf(line: string): { partition: number; record: LogRecord } {
  const [, timeMs, partition, offset, key, value] =
    /^\w+:(\d+)\tPartition:(\d+)\tOffset:(\d+)\t([^\t]*)\t(.*)$/.exec(line) ?? [];
  if (value === undefined) throw new Error(`not a record: ${line.slice(0, 200)}`);
  const record = {
    offset: Number(offset),
    arrivalMs: Number(timeMs),
    key: key!,
    value: Buffer.from(value),
  };
  return { partition: Number(partition), record };
}
