/** Events in the order of their rows, treated as a session-processor treats them on arrival. */
import { createHash } from 'node:crypto';
import type { SessionDefinition } from '../core/definition.ts';
import { describe, isoTime } from '../core/describe.ts';
import { partitionOf } from '../core/hash.ts';
import type { MergedRecord, SentRecord, SessionRecord } from '../core/output.ts';
import { Partition } from '../core/partition.ts';
import { type Block, MAX_ROW_BYTES } from './blocks.ts';
import { Decoder, type LeftOut, NO_ID } from './decoder.ts';
import { type InputPlan, readerOf } from './input.ts';
import type { BlockTaker } from './inputs.ts';
import { hashBytes } from './interner.ts';
import { type Reject, type Rejects, rejectOf, rejectOfLongLine } from './rejects.ts';
import { ID, type RejectReason, type Row, type RowReader, type RowTaker, USER } from './row.ts';
import type { Sink } from './sink.ts';
import { zoneToUtc } from './time-zone.ts';
import { Vocabulary } from './vocabulary.ts';

/** The texts that are remembered; more are forgotten and learned again. */
const MAX_VOCABULARY_BYTES = 64e6;
const LINES_AT_A_TIME = 1000;
/** Users that a partition looks at in one turn. */
const SWEEP_USERS = 10_000;
/** Ids of events without one: below zero (no duplicates) and rising, so that ties keep order. */
const FIRST_NO_ID = -(2 ** 52);

export interface ArrivalOptions {
  readonly definition: SessionDefinition;
  readonly partitions: number;
  readonly timeZone: string;
}

/** What is told, before `after` is added. */
type Told =
  | ({ readonly type: 'session' } & SessionRecord)
  | ({ readonly type: 'merged' } & MergedRecord)
  | {
      readonly type: 'late';
      readonly reason: 'too_late';
      readonly eventId: string | null;
      readonly userId: string;
      readonly eventType: string;
      readonly timestamp: string;
    }
  | {
      readonly type: 'rejected';
      readonly file: string;
      readonly line: number;
      readonly reason: RejectReason;
      readonly message: string;
    };

export class ArrivalOrder implements BlockTaker, RowTaker {
  events = 0;
  /** Records of sessions given out: each time one was sent, and what was open at the end. */
  sessions = 0;
  late = 0;
  duplicates = 0;
  readonly #options: ArrivalOptions;
  readonly #sink: Sink;
  readonly #rejects: Rejects;
  readonly #vocabulary = new Vocabulary();
  readonly #decoder: Decoder;
  #partitions: readonly Partition[] = [];
  /** Next offset by partition. */
  readonly #offsets: number[] = [];
  readonly #buffer = new Uint8Array(2 * MAX_ROW_BYTES);
  #reader: RowReader | null = null;
  #file = '';
  #nextLine = 1;
  #lines: string[] = [];

  constructor(options: ArrivalOptions, sink: Sink, rejects: Rejects) {
    this.#options = options;
    this.#sink = sink;
    this.#rejects = rejects;
    this.#decoder = new Decoder(this.#vocabulary, zoneToUtc(options.timeZone));
  }

  get leftOut(): readonly LeftOut[] {
    return [...this.#decoder.leftOut.values()];
  }

  input(plan: InputPlan): void {
    this.#file = plan.name;
    this.#reader = readerOf(plan);
    this.#nextLine = plan.firstLine;
    this.#decoder.input(plan);
    if (this.#partitions.length === 0) this.#partitions = this.#openPartitions(plan);
  }

  async buffer(): Promise<Uint8Array> {
    return this.#buffer;
  }

  async block({ bytes, end, tooLong }: Block): Promise<boolean> {
    if (tooLong) this.#tellRejected(rejectOfLongLine(bytes, end, this.#nextLine++));
    else this.#nextLine = this.#reader!.read(bytes, 0, end, this.#nextLine, this);
    if (this.#vocabulary.heldBytes > MAX_VOCABULARY_BYTES) this.#vocabulary.clear();
    await this.#rejects.written();
    return this.#write();
  }

  row(row: Row): void {
    const decoder = this.#decoder;
    const hash = hashBytes(row.bytes, row.starts[USER]!, row.ends[USER]!);
    if (!decoder.decode(row, hash)) return this.reject(row, decoder.reason, decoder.message);
    const userId = this.#vocabulary.users.text(decoder.user);
    const idHash = decoder.idHash === NO_ID ? FIRST_NO_ID + this.events : decoder.idHash;
    const event = this.#vocabulary.event(userId, decoder.time, idHash, decoder.texts);
    const number = partitionOf(userId, this.#partitions.length);
    const partition = this.#partitions[number]!;
    this.events++;
    const fate = partition.apply(event, this.#offsets[number]!++, null);
    if (fate === 'duplicate') this.duplicates++;
    if (fate === 'late') {
      this.late++;
      this.#tell({
        type: 'late',
        reason: 'too_late',
        eventId: row.text(ID) || null,
        userId,
        eventType: event.eventType,
        timestamp: isoTime(event.timestamp),
      });
    }
    while (partition.sweep(partition.clock, SWEEP_USERS) === SWEEP_USERS);
    for (const sent of partition.takeSent()) this.#tellSent(sent);
  }

  reject(row: Row, reason: RejectReason, message: string): void {
    this.#tellRejected(rejectOf(row, reason, message));
  }

  /** After the last row: tells which sessions are still open. False: nobody listens any more. */
  async end(): Promise<boolean> {
    const open = this.#partitions.flatMap(openSessions);
    open.sort((one, other) => (orderOf(one) < orderOf(other) ? -1 : 1));
    for (const session of open) {
      this.#tellSent(session);
      if (this.#lines.length >= LINES_AT_A_TIME && !(await this.#write())) return false;
    }
    return this.#write();
  }

  /** Session ids are made of the place of an event and of what the first input begins with. */
  #openPartitions(plan: InputPlan): Partition[] {
    const logId = createHash('sha256').update(plan.beginning).digest('hex');
    return Array.from({ length: this.#options.partitions }, (_, partition) => {
      this.#offsets.push(0);
      const identity = { logId, partition };
      return new Partition({ definition: this.#options.definition, identity, stored: false });
    });
  }

  #tellSent(sent: SentRecord): void {
    if (sent.state === 'merged') return this.#tell({ type: 'merged', ...sent });
    this.sessions++;
    this.#tell({ type: 'session', ...sent });
  }

  #tellRejected(reject: Reject): void {
    const { line, reason, message } = reject;
    this.#rejects.add(this.#file, [reject]);
    this.#tell({ type: 'rejected', file: this.#file, line, reason, message });
  }

  #tell(record: Told): void {
    this.#lines.push(`${JSON.stringify({ ...record, after: this.events })}\n`);
  }

  async #write(): Promise<boolean> {
    const text = this.#lines.join('');
    this.#lines = [];
    return text === '' || this.#sink.write(text);
  }
}

function openSessions(partition: Partition): SessionRecord[] {
  const { identity, definition, users } = partition;
  return [...users.values()].flatMap((user) =>
    user.sessions
      .filter((session) => session.tiersPassed === 0)
      .map((session) => describe(identity, definition, user.id, session, 'active', null)),
  );
}

/** By start, then by user. */
function orderOf(session: SessionRecord): string {
  return session.startTime + session.userId;
}
