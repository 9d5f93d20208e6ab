/** One user of a partition: the sessions that are not settled yet, and what changed of them. */

import { Due } from './deadlines.ts';
import type { SessionDefinition } from './definition.ts';
import { userKey } from './keys.ts';
import { type Session, sendDeadline, settleDeadline } from './session.ts';

/** Shared by all users that have nothing to delete, which are most. */
const NONE: never[] = [];

export class User extends Due {
  /** The oldest of its sessions; each leads to the next (a user mostly has one). */
  first: Session | null = null;
  /** False until what the store has of it was installed. */
  loaded: boolean;
  /** Whether its record was asked for. */
  asked = false;
  /** Used since the last look for users to evict. */
  recent = true;
  /** Whether it changed since it was last frozen. */
  dirty = false;
  evicted = false;
  readonly id: string;
  /** The freeze that it was last part of. */
  frozenIn = 0;
  /** The minute of its entry in the stored deadline index; null when it has none. */
  storedMinute: number | null = null;
  /** Whether the store has a record of it. */
  stored = false;
  /** Whether a live session of it was last published. */
  published = false;
  /** Keys to delete with the next commit. */
  #deletes: Uint8Array[] = NONE;
  #key: Uint8Array | null = null;

  constructor(id: string, loaded: boolean) {
    super();
    this.id = id;
    this.loaded = loaded;
  }

  /** Of its record in the store; made once, since it is written with every change. */
  get key(): Uint8Array {
    this.#key ??= userKey(this.id);
    return this.#key;
  }

  /** All of them, in the order in which they came. */
  get sessions(): Session[] {
    const sessions: Session[] = [];
    for (let each = this.first; each !== null; each = each.next) sessions.push(each);
    return sessions;
  }

  append(session: Session): void {
    session.next = null;
    if (this.first === null) {
      this.first = session;
      return;
    }
    let last = this.first;
    while (last.next !== null) last = last.next;
    last.next = session;
  }

  /** Takes one of its sessions out; that one still leads to what came after it. */
  remove(session: Session): void {
    if (this.first === session) {
      this.first = session.next;
      return;
    }
    let before = this.first;
    while (before !== null && before.next !== session) before = before.next;
    if (before !== null) before.next = session.next;
  }

  /** Leaves memory: the store has all of it. */
  leave(): void {
    this.evicted = true;
    for (let each = this.first; each !== null; each = each.next) each.release();
  }

  deleteLater(key: Uint8Array): void {
    if (this.#deletes.length === 0) this.#deletes = [key];
    else this.#deletes.push(key);
  }

  takeDeletes(): readonly Uint8Array[] {
    const deletes = this.#deletes;
    this.#deletes = NONE;
    return deletes;
  }

  /** The live session with the latest end; null when it has none. */
  newestLive(): Session | null {
    let newest: Session | null = null;
    for (let session = this.first; session !== null; session = session.next) {
      if (session.tiersPassed > 0) continue;
      if (newest === null || session.end > newest.end) newest = session;
    }
    return newest;
  }

  /** When the next of its sessions is due to be sent. */
  sendDue(definition: SessionDefinition): number {
    let due = Number.POSITIVE_INFINITY;
    for (let session = this.first; session !== null; session = session.next) {
      due = Math.min(due, sendDeadline(session, definition));
    }
    return due;
  }

  /** When the next of its sessions is due to be sent or forgotten. */
  nextDue(definition: SessionDefinition): number {
    let due = Number.POSITIVE_INFINITY;
    for (let session = this.first; session !== null; session = session.next) {
      due = Math.min(due, sendDeadline(session, definition), settleDeadline(session, definition));
    }
    return due;
  }
}
