/** What a partition needs from its store before it can decide, and what it gives back to it. */
import { RecordWriter } from './encoding.ts';
import { chunkKey, sessionKey } from './keys.ts';
import type { SentRecord } from './output.ts';
import type { Partition } from './partition.ts';
import {
  decodeChunk,
  decodeSession,
  encodeChunk,
  encodeSession,
  encodeUser,
  isInline,
  readUser,
} from './record.ts';
import { type Session, touches } from './session.ts';
import type { User } from './user.ts';

/** Something to read: install what the store has under `key`. */
export interface Want {
  readonly key: Uint8Array;
  readonly userId: string;
  /** null: the user's own record. */
  readonly session: Session | null;
  /** A chunk of the session's ids rather than its record. */
  readonly chunk: boolean;
}

/** Everything that a partition changed since the last freeze; nothing later can reach into it. */
export interface Freeze<Sent = SentRecord> {
  readonly sequence: number;
  readonly clock: number;
  readonly sendingClock: number;
  readonly writes: { readonly key: Uint8Array; readonly value: Uint8Array | null }[];
  readonly deadlines: {
    readonly userId: string;
    readonly fromMinute: number | null;
    readonly toMinute: number | null;
  }[];
  readonly sent: Sent[];
  /** Each changed user's record where it has a live session; null where it has none any more. */
  readonly live: { readonly userId: string; readonly session: Uint8Array | null }[];
  readonly users: User[];
}

const MINUTE_MS = 60_000;
const FOREVER = Number.POSITIVE_INFINITY;

/** Moves a partition's users between memory and bytes; does no I/O itself. */
export class Loader<Sent = SentRecord> {
  readonly #partition: Partition<Sent>;
  #frozen = 0;
  #committed = 0;
  /** Sessions whose record has been asked for. */
  readonly #asked = new Set<Session>();
  /** Chunks that came in for sessions whose other chunks are still to come. */
  readonly #chunks = new Map<Session, number[][]>();
  #absentThrough: number;

  /** `isStored`: whether the store has users of the partition already. */
  constructor(partition: Partition<Sent>, isStored = false) {
    this.#partition = partition;
    this.#absentThrough = isStored ? FOREVER : Number.NEGATIVE_INFINITY;
  }

  /** Beyond this minute the stored deadline index names nobody but users who are in memory. */
  get absentThrough(): number {
    return this.#absentThrough;
  }

  /**
   * Adds what has to be read before an event of this user at `time` can be applied. Ask again
   * after installing: a user's record may name sessions, a session chunks.
   */
  want(userId: string, time: number, into: Want[]): void {
    const { users } = this.#partition;
    this.wantFor(users.get(userId) ?? users.add(userId), time, into);
  }

  /** The same for a user that is at hand. */
  wantFor(user: User, time: number, into: Want[]): void {
    if (!this.#isLoaded(user, into)) return;
    const { gapMs } = this.#partition.definition;
    for (let session = user.first; session !== null; session = session.next) {
      if (session.loaded) continue;
      if (touches(session, time, gapMs)) this.#wantSession(user, session, into);
      else this.#wantUnsent(user, session, into);
    }
  }

  /** The same for a user whose deadline has come. */
  wantDue(userId: string, into: Want[]): void {
    const { users } = this.#partition;
    const user = users.get(userId) ?? users.add(userId);
    if (!this.#isLoaded(user, into)) return;
    for (let session = user.first; session !== null; session = session.next) {
      this.#wantUnsent(user, session, into);
    }
  }

  /** Gives what the store answered for each of the wants, in their order. */
  install(wants: readonly Want[], values: readonly (Uint8Array | null)[]): void {
    for (const [index, want] of wants.entries()) {
      const value = values[index] ?? null;
      if (want.session === null) this.#installUser(want.userId, value);
      else if (value === null) throw new Error(`record missing from the store: ${want.userId}`);
      else if (want.chunk) this.#installChunk(want.session, decodeChunk(value));
      else {
        decodeSession(want.session, value);
        this.#asked.delete(want.session);
      }
    }
  }

  /** Encodes what changed. Until `committed` is called nothing of it leaves memory. */
  freeze(sendingClock: number): Freeze<Sent> {
    const partition = this.#partition;
    const writer = new RecordWriter();
    const freeze: Freeze<Sent> = {
      sequence: ++this.#frozen,
      clock: partition.clock,
      sendingClock,
      writes: [],
      deadlines: [],
      sent: partition.takeSent(),
      live: [],
      users: partition.takeDirty(),
    };
    for (const user of freeze.users) {
      user.frozenIn = freeze.sequence;
      this.#freezeUser(user, writer, freeze);
    }
    return freeze;
  }

  /** The store has it: closed sessions leave memory until something touches them. */
  committed(freeze: Freeze<Sent>): void {
    this.#committed = freeze.sequence;
    for (const user of freeze.users) {
      if (user.frozenIn !== freeze.sequence || user.dirty) continue;
      for (let session = user.first; session !== null; session = session.next) {
        // One that is still to be sent must be at hand when its deadline comes.
        if (isInline(session) || session.changed) continue;
        session.unload();
      }
    }
  }

  /**
   * Lets users go until at most `keep` are in memory, those not used lately first. To be called
   * after a sweep that left nothing due: a user goes only if the deadline index will name it again.
   */
  evict(keep: number, sendingClock: number): void {
    const { users, clock, definition } = this.#partition;
    let looks = 2 * (users.size - keep);
    for (const user of users.values()) {
      if (looks-- <= 0 || users.size <= keep) return;
      const clean = user.loaded && !user.dirty && user.frozenIn <= this.#committed;
      // Where all is sent, what remains waits for the event clock, which names it then.
      const isSent = user.sendDue(definition) === FOREVER;
      const reached = isSent ? clock : sendingClock;
      const named =
        user.storedMinute === null
          ? user.first === null
          : user.storedMinute > Math.floor(reached / MINUTE_MS);
      users.delete(user.id);
      if (clean && named && !user.recent) {
        this.#absentThrough = Math.max(this.#absentThrough, user.storedMinute ?? 0);
        user.leave();
      } else {
        user.recent = false;
        users.set(user.id, user);
      }
    }
  }

  /** Asks for the user's record where it isn't here yet. */
  #isLoaded(user: User, into: Want[]): boolean {
    if (user.loaded) return true;
    if (!user.asked) into.push({ key: user.key, userId: user.id, session: null, chunk: false });
    user.asked = true;
    return false;
  }

  /** What is still to be sent may be sent before an event of its user, whichever it touches. */
  #wantUnsent(user: User, session: Session, into: Want[]): void {
    if (session.changed && !session.hasBody) this.#wantSession(user, session, into);
  }

  #wantSession(user: User, session: Session, into: Want[]): void {
    const userId = user.id;
    if (!session.hasBody) {
      if (this.#asked.has(session)) return;
      this.#asked.add(session);
      into.push({ key: sessionKey(userId, session.offset), userId, session, chunk: false });
      return;
    }
    if (this.#chunks.has(session)) return;
    this.#chunks.set(session, []);
    for (const name of session.ids!.chunks) {
      into.push({ key: chunkKey(userId, name), userId, session, chunk: true });
    }
  }

  #installUser(userId: string, value: Uint8Array | null): void {
    const user = this.#partition.users.get(userId)!;
    if (value !== null) readUser(user, value, this.#partition.arena);
    user.loaded = true;
    user.published = user.newestLive() !== null;
    this.#partition.adopt(user);
  }

  #installChunk(session: Session, ids: number[]): void {
    const chunks = this.#chunks.get(session)!;
    chunks.push(ids);
    if (chunks.length < session.ids!.chunks.length) return;
    session.ids!.load(chunks);
    this.#chunks.delete(session);
  }

  #freezeUser(user: User, writer: RecordWriter, freeze: Freeze<Sent>): void {
    const { writes } = freeze;
    for (const key of user.takeDeletes()) writes.push({ key, value: null });
    for (let session = user.first; session !== null; session = session.next) {
      if (session.ids !== null && session.ids.unwritten.length > 0) {
        for (const { name, ids } of session.ids.unwritten) {
          writes.push({ key: chunkKey(user.id, name), value: encodeChunk(writer, ids) });
        }
        session.ids.unwritten = [];
      }
      if (isInline(session)) {
        if (session.stored) {
          writes.push({ key: sessionKey(user.id, session.offset), value: null });
        }
        session.stored = false;
      } else if (session.dirty) {
        const value = encodeSession(writer, session);
        writes.push({ key: sessionKey(user.id, session.offset), value });
        session.stored = true;
      }
      session.dirty = false;
    }
    this.#moveDeadline(user, freeze);
    this.#freezeRecord(user, writer, freeze);
  }

  #freezeRecord(user: User, writer: RecordWriter, freeze: Freeze<Sent>): void {
    let record: Uint8Array | null = null;
    if (user.first !== null) {
      record = encodeUser(writer, user);
      freeze.writes.push({ key: user.key, value: record });
    } else if (user.stored) {
      freeze.writes.push({ key: user.key, value: null });
    }
    user.stored = record !== null;
    const live = user.newestLive() !== null;
    if (live) freeze.live.push({ userId: user.id, session: record });
    else if (user.published) freeze.live.push({ userId: user.id, session: null });
    user.published = live;
  }

  /** An entry that lies too early does no harm until its minute comes; then it is moved. */
  #moveDeadline(user: User, freeze: Freeze<Sent>): void {
    const due = user.nextDue(this.#partition.definition);
    const toMinute = due === Number.POSITIVE_INFINITY ? null : Math.floor(due / MINUTE_MS);
    const fromMinute = user.storedMinute;
    if (fromMinute === toMinute) return;
    const reached = Math.floor(freeze.sendingClock / MINUTE_MS);
    if (fromMinute !== null && toMinute !== null && fromMinute > reached && toMinute > fromMinute) {
      return;
    }
    freeze.deadlines.push({ userId: user.id, fromMinute, toMinute });
    user.storedMinute = toMinute;
  }
}
