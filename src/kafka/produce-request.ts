/** The Produce request, version 12: sealed batches out, one answer a partition back. */
import { createAPI, type Reader, Writer } from '@platformatic/kafka';

/** A sealed batch and where it goes. */
export interface PlacedBatch {
  readonly topic: string;
  readonly partition: number;
  readonly batch: Buffer;
}

export interface ProduceAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly errorMessage: string | null;
  /** Of the batch's first record; -1 with an error. */
  readonly baseOffset: number;
}

/** All replicas in sync have it before it counts. */
const ACKS_ALL = -1;

/** Unlike the library's own, an error code is a value: partitions fare differently. */
export const produceV12 = createAPI<
  [transactionalId: string | null, timeoutMs: number, batches: readonly PlacedBatch[]],
  ProduceAnswer[]
>(0, 12, createRequest, parseResponse);

function createRequest(
  transactionalId: string | null,
  timeoutMs: number,
  batches: readonly PlacedBatch[],
): Writer {
  const byTopic = Map.groupBy(batches, ({ topic }) => topic);
  return Writer.create()
    .appendString(transactionalId)
    .appendInt16(ACKS_ALL)
    .appendInt32(timeoutMs)
    .appendArray([...byTopic], (writer, [topic, ofTopic]) => {
      writer.appendString(topic).appendArray(ofTopic, (each, { partition, batch }) => {
        each
          .appendInt32(partition)
          .appendUnsignedVarInt(batch.length + 1)
          .append(batch);
      });
    })
    .appendTaggedFields();
}

function parseResponse(_id: number, _key: number, _version: number, reader: Reader) {
  const topics = reader.readArray((of) => {
    const topic = of.readString();
    return of.readArray((each): ProduceAnswer => {
      const partition = each.readInt32();
      const errorCode = each.readInt16();
      const baseOffset = Number(each.readInt64());
      each.readInt64(); // Time of the append.
      each.readInt64(); // First offset.
      each.readArray((bad) => {
        bad.readInt32();
        bad.readNullableString();
      });
      const errorMessage = each.readNullableString();
      return { topic, partition, errorCode, errorMessage, baseOffset };
    });
  });
  return topics.flat();
}
