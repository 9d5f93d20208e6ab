/** One user of a partition: the sessions that are not settled yet, and what changed of them. */

import type { Due } from './deadlines.ts';
import type { SessionDefinition } from './definition.ts';
import { userKey } from './keys.ts';
import { type Session, sendDeadline, settleDeadline } from './session.ts';

export class User implements Due {
  readonly id: string;
  /** False from when it is asked for until what the store has of it was installed. */
  loaded: boolean;
  sessions: Session[] = [];
  /** A lower bound of when a session of it has to be sent or forgotten. */
  nextDue = Number.POSITIVE_INFINITY;
  /** Kept by the calendar. */
  dueAt = Number.POSITIVE_INFINITY;
  /** Whether it changed since it was last frozen. */
  dirty = false;
  /** The freeze that it was last part of. */
  frozenIn = 0;
  /** Whether the store has a record of it. */
  stored = false;
  /** The minute of its entry in the stored deadline index; null when it has none. */
  storedMinute: number | null = null;
  /** Keys to delete with the next commit. */
  deletes: Uint8Array[] = [];
  /** Whether a live session of it was last published. */
  published = false;
  /** Used since the last look for users to evict. */
  recent = true;
  evicted = false;
  #key: Uint8Array | null = null;

  constructor(id: string, loaded: boolean) {
    this.id = id;
    this.loaded = loaded;
  }

  /** Of its record in the store; made once, since it is written with every change. */
  get key(): Uint8Array {
    this.#key ??= userKey(this.id);
    return this.#key;
  }

  /** The live session with the latest end; null when it has none. */
  newestLive(): Session | null {
    let newest: Session | null = null;
    for (const session of this.sessions) {
      if (session.tiersPassed > 0) continue;
      if (newest === null || session.end > newest.end) newest = session;
    }
    return newest;
  }

  /** When the next of its sessions is due to be sent. */
  computeSend(definition: SessionDefinition): number {
    let due = Number.POSITIVE_INFINITY;
    for (const session of this.sessions) due = Math.min(due, sendDeadline(session, definition));
    return due;
  }

  /** When the next of its sessions is due to be sent or forgotten, exactly. */
  computeDue(definition: SessionDefinition): number {
    let due = Number.POSITIVE_INFINITY;
    for (const session of this.sessions) {
      due = Math.min(due, sendDeadline(session, definition), settleDeadline(session, definition));
    }
    return due;
  }
}
