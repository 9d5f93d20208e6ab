/** What members of a group tell each other, as bytes that Kafka's own tools can read as well. */
import { Reader, Writer } from '@platformatic/kafka';

/** Whose transactions each partition was last written by: by transactional id. */
export type Writers = ReadonlyMap<number, string>;

/** What a member says of itself when it joins. */
export interface MemberInfo {
  /** One a data folder, and for as long as that is there. */
  readonly instanceId: string;
  /** null where it writes nothing with transactions. */
  readonly transactionalId: string | null;
  /** Where other services reach it. */
  readonly url: string;
  /** Of its newest assignment; -1 before the first. */
  readonly generation: number;
  readonly owned: readonly number[];
  /** Position of each partition that it has a copy of. */
  readonly copies: ReadonlyMap<number, number>;
  /** The writers that it was told with its newest assignment. */
  readonly writers: Writers;
}

/** What the leader gives a member. */
export interface MemberShare {
  readonly owned: readonly number[];
  readonly standby: readonly number[];
  /**
   * Transactional ids under which members that are gone wrote what is now owned here: their
   * transactions may still be open. Members that are there ended theirs before they joined.
   */
  readonly predecessors: readonly string[];
  readonly writers: Writers;
}

/** The newest versions in which nothing follows that is of no use here. */
const SUBSCRIPTION_VERSION = 1;
const ASSIGNMENT_VERSION = 0;

/** ConsumerProtocolSubscription (a member's metadata), with what it says as JSON user data. */
export function encodeMember(topic: string, member: MemberInfo): Buffer {
  const { owned, copies, writers, ...rest } = member;
  const said = { ...rest, copies: [...copies].flat(), writers: packWriters(writers) };
  return Writer.create()
    .appendInt16(SUBSCRIPTION_VERSION)
    .appendArray([topic], (w, name) => w.appendString(name, false), false, false)
    .appendBytes(Buffer.from(JSON.stringify(said)), false)
    .append(topicPartitions(topic, owned)).buffer;
}

/** Throws when it was not written by `encodeMember`. */
export function decodeMember(bytes: Buffer): MemberInfo {
  const reader = Reader.from(bytes);
  reader.readInt16();
  reader.readArray((r) => r.readString(false), false, false);
  const { copies, writers, ...rest } = JSON.parse(reader.readBytes(false).toString());
  const owned = readPartitions(reader);
  return { ...rest, owned, copies: pairs(copies), writers: unpackWriters(writers) };
}

/** ConsumerProtocolAssignment (what the leader gives a member), the rest as JSON user data. */
export function encodeShare(topic: string, share: MemberShare): Buffer {
  const { standby, predecessors, writers } = share;
  const said = { standby, predecessors, writers: packWriters(writers) };
  return Writer.create()
    .appendInt16(ASSIGNMENT_VERSION)
    .append(topicPartitions(topic, share.owned))
    .appendBytes(Buffer.from(JSON.stringify(said)), false).buffer;
}

/** Null when it was not written by `encodeShare`: before the leader has spoken it is empty. */
export function decodeShare(bytes: Buffer): MemberShare | null {
  if (bytes.length === 0) return null;
  const reader = Reader.from(bytes);
  reader.readInt16();
  const owned = readPartitions(reader);
  const { standby, predecessors, writers } = JSON.parse(reader.readBytes(false).toString());
  return { owned, standby, predecessors, writers: unpackWriters(writers) };
}

function topicPartitions(topic: string, partitions: readonly number[]): Buffer {
  return Writer.create().appendArray(
    partitions.length === 0 ? [] : [topic],
    (w, name) =>
      w
        .appendString(name, false)
        .appendArray(
          [...partitions],
          (each, partition) => each.appendInt32(partition),
          false,
          false,
        ),
    false,
    false,
  ).buffer;
}

function readPartitions(reader: Reader): number[] {
  const topics = reader.readArray(
    (r) => {
      r.readString(false);
      return r.readArray((each) => each.readInt32(), false, false);
    },
    false,
    false,
  );
  return topics.flat();
}

/** Each id once, then partition and place of its id in turn: a table of 512 takes 4 kB. */
function packWriters(writers: Writers): { ids: string[]; of: number[] } {
  const ids = [...new Set(writers.values())];
  const places = new Map(ids.map((id, place) => [id, place]));
  return { ids, of: [...writers].flatMap(([partition, id]) => [partition, places.get(id)!]) };
}

function unpackWriters({ ids, of }: { ids: string[]; of: number[] }): Writers {
  return new Map([...pairs(of)].map(([partition, place]) => [partition, ids[place]!]));
}

function pairs(flat: readonly number[]): Map<number, number> {
  const map = new Map<number, number>();
  for (let at = 0; at < flat.length; at += 2) map.set(flat[at]!, flat[at + 1]!);
  return map;
}
