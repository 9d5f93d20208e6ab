/** TxnOffsetCommit 5 and EndTxn 5: transactions of version 2 (KIP-890), which the library lacks. */
import { createAPI, type Reader, ResponseError, Writer } from '@platformatic/kafka';

export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** Who commits offsets: the membership as it was at the join. */
export interface Member {
  readonly memberId: string;
  readonly generation: number;
}

export interface CommittedOffset {
  readonly partition: number;
  readonly offset: number;
}

/** Rejects with the first partition's error where there is one. */
export const txnOffsetCommitV5 = createAPI<
  [
    transactionalId: string,
    producer: ProducerIdentity,
    groupId: string,
    member: Member,
    topic: string,
    offsets: readonly CommittedOffset[],
  ],
  void
>(28, 5, createOffsetCommit, parseOffsetCommit);

function createOffsetCommit(
  transactionalId: string,
  { producerId, producerEpoch }: ProducerIdentity,
  groupId: string,
  { memberId, generation }: Member,
  topic: string,
  offsets: readonly CommittedOffset[],
): Writer {
  return Writer.create()
    .appendString(transactionalId)
    .appendString(groupId)
    .appendInt64(producerId)
    .appendInt16(producerEpoch)
    .appendInt32(generation)
    .appendString(memberId)
    .appendString(null)
    .appendArray([topic], (writer, name) => {
      writer.appendString(name).appendArray([...offsets], (each, { partition, offset }) => {
        each.appendInt32(partition).appendInt64(BigInt(offset)).appendInt32(-1).appendString(null);
      });
    })
    .appendTaggedFields();
}

function parseOffsetCommit(_id: number, apiKey: number, version: number, reader: Reader): void {
  reader.readInt32();
  const codes = reader.readArray((topic) => {
    topic.readString();
    return topic.readArray((partition) => {
      partition.readInt32();
      return partition.readInt16();
    });
  });
  const code = codes.flat().find((each) => each !== 0);
  if (code !== undefined) throw new ResponseError(apiKey, version, { '/': [code, null] }, codes);
}

/** Answers with the producer id and epoch of the next transaction, also when it is repeated. */
export const endTxnV5 = createAPI<
  [transactionalId: string, producer: ProducerIdentity, committed: boolean],
  ProducerIdentity
>(26, 5, createEnd, parseEnd);

function createEnd(
  transactionalId: string,
  { producerId, producerEpoch }: ProducerIdentity,
  committed: boolean,
): Writer {
  return Writer.create()
    .appendString(transactionalId)
    .appendInt64(producerId)
    .appendInt16(producerEpoch)
    .appendBoolean(committed)
    .appendTaggedFields();
}

function parseEnd(_id: number, apiKey: number, version: number, reader: Reader): ProducerIdentity {
  reader.readInt32();
  const code = reader.readInt16();
  const next = { producerId: reader.readInt64(), producerEpoch: reader.readInt16() };
  if (code !== 0) throw new ResponseError(apiKey, version, { '/': [code, null] }, next);
  return next;
}
