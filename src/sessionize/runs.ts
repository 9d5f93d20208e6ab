/** Events that don't fit into memory: sorted runs in temporary files, and the merging of them. */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { LullError } from '../errors.ts';
import type { EventCursor } from './event-cursor.ts';
import { ROLES, TYPE } from './row.ts';
import { MAX_TEXT_BYTES, NO_TEXT, Vocabulary } from './vocabulary.ts';

const WRITE_BYTES = 1 << 20;
const READ_BYTES = 1 << 18;
/** More than an event or a user's id takes in a run. */
const MAX_ENTRY_BYTES = 32 + (MAX_TEXT_BYTES + 2) * ROLES.length;

/** What begins with this byte in a run. */
const END_OF_USER = 0;
const EVENT = 1;
const USER_FOLLOWS = 2;
const END_OF_RUN = 3;

/**
 * A file of its own that has no name any more: the system takes it back when it is closed or when
 * the process ends, however it ends.
 */
export class Run {
  readonly #fd: number;
  readonly #folder: string;
  sizeBytes = 0;

  constructor(folder: string) {
    this.#folder = folder;
    const path = join(folder, `lull-${randomUUID()}.tmp`);
    try {
      this.#fd = openSync(path, 'wx+', 0o600);
      unlinkSync(path);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  append(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    } catch (error) {
      throw this.#failed(error);
    }
    this.sizeBytes += bytes.length;
  }

  read(into: Uint8Array, position: number): number {
    return readSync(this.#fd, into, 0, into.length, position);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #failed(cause: unknown): LullError {
    const { code } = cause as NodeJS.ErrnoException;
    const hint = 'give a folder with room for as much as the input: --temp DIR';
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      const message = `no space is left for temporary files in ${this.#folder}`;
      return new LullError('disk_full', message, { cause, hint });
    }
    const message = `temporary files can't be written in ${this.#folder}: ${code}`;
    return new LullError('output_unwritable', message, { cause, hint });
  }
}

/** Writes a cursor's events into a run. */
export function writeRun(run: Run, cursor: EventCursor): void {
  const bytes = Buffer.allocUnsafe(WRITE_BYTES + MAX_ENTRY_BYTES);
  let at = 0;
  const flushIfFull = (bound: number) => {
    if (at < bound) return;
    run.append(bytes.subarray(0, at));
    at = 0;
  };
  while (cursor.nextUser()) {
    at = bytes.writeUInt8(USER_FOLLOWS, at);
    const length = bytes.write(cursor.user, at + 2);
    at = bytes.writeUInt16LE(length, at) + length;
    while (cursor.nextEvent()) {
      at = bytes.writeUInt8(EVENT, at);
      at = bytes.writeDoubleLE(cursor.time, at);
      at = bytes.writeDoubleLE(cursor.idHash, at);
      for (let role = TYPE; role < ROLES.length; role++) {
        const number = cursor.texts[role]!;
        const text = number === NO_TEXT ? NOTHING : cursor.vocabulary.texts.bytes(number);
        at = bytes.writeUInt16LE(text.length, at);
        bytes.set(text, at);
        at += text.length;
      }
      flushIfFull(WRITE_BYTES);
    }
    at = bytes.writeUInt8(END_OF_USER, at);
    flushIfFull(WRITE_BYTES);
  }
  at = bytes.writeUInt8(END_OF_RUN, at);
  flushIfFull(0);
}

const NOTHING = new Uint8Array(0);

class RunCursor implements EventCursor {
  readonly vocabulary: Vocabulary;
  user = '';
  time = 0;
  idHash = 0;
  readonly texts = new Int32Array(ROLES.length).fill(NO_TEXT);
  readonly #run: Run;
  readonly #bytes = Buffer.allocUnsafe(READ_BYTES);
  #length = 0;
  #at = 0;
  #position = 0;
  #textsAt = 0;

  constructor(run: Run, vocabulary: Vocabulary) {
    this.#run = run;
    this.vocabulary = vocabulary;
  }

  nextUser(): boolean {
    this.#fill();
    if (this.#bytes[this.#at++] !== USER_FOLLOWS) return false;
    const start = this.#at + 2;
    this.#at = start + this.#bytes.readUInt16LE(this.#at);
    this.user = this.#bytes.toString('utf8', start, this.#at);
    return true;
  }

  nextEvent(): boolean {
    this.#fill();
    if (this.#bytes[this.#at++] !== EVENT) return false;
    this.time = this.#bytes.readDoubleLE(this.#at);
    this.idHash = this.#bytes.readDoubleLE(this.#at + 8);
    this.#textsAt = this.#at + 16;
    this.readTexts();
    return true;
  }

  /** Numbers the event's texts; again after the vocabulary was cleared. */
  readTexts(): void {
    let at = this.#textsAt;
    for (let role = TYPE; role < ROLES.length; role++) {
      const start = at + 2;
      at = start + this.#bytes.readUInt16LE(at);
      this.texts[role] = at === start ? NO_TEXT : this.vocabulary.number(this.#bytes, start, at);
    }
    this.#at = at;
  }

  /** Sees to it that what comes next lies in memory whole. */
  #fill(): void {
    if (this.#length - this.#at >= MAX_ENTRY_BYTES) return;
    if (this.#position === this.#run.sizeBytes) return;
    this.#bytes.copyWithin(0, this.#at, this.#length);
    this.#length -= this.#at;
    this.#at = 0;
    const count = this.#run.read(this.#bytes.subarray(this.#length), this.#position);
    this.#position += count;
    this.#length += count;
  }
}

/** The events of several runs as if they were one. */
export class MergeCursor implements EventCursor {
  readonly vocabulary = new Vocabulary();
  user = '';
  time = 0;
  idHash = 0;
  texts: Int32Array = new Int32Array(0);
  readonly #maxVocabularyBytes: number;
  /** Runs that have a user left; those of them that have events left of the user. */
  #runs: RunCursor[];
  #active: RunCursor[] = [];
  /** The run whose event was given last. */
  #given: RunCursor | null = null;

  /** The vocabulary is cleared when it holds more than the bound. */
  constructor(runs: readonly Run[], maxVocabularyBytes: number) {
    this.#maxVocabularyBytes = maxVocabularyBytes;
    this.#runs = runs.map((run) => new RunCursor(run, this.vocabulary));
    this.#runs = this.#runs.filter((cursor) => cursor.nextUser());
  }

  nextUser(): boolean {
    const first = this.#runs[0];
    if (first === undefined) return false;
    let user = first.user;
    for (const cursor of this.#runs) if (cursor.user < user) user = cursor.user;
    this.user = user;
    this.#active = this.#runs.filter((cursor) => cursor.user === user);
    for (const cursor of this.#active) cursor.nextEvent();
    this.#given = null;
    return true;
  }

  nextEvent(): boolean {
    if (this.#given !== null && !this.#given.nextEvent()) this.#leave(this.#given);
    if (this.vocabulary.heldBytes > this.#maxVocabularyBytes) this.#clearVocabulary();
    let first: RunCursor | null = null;
    for (const cursor of this.#active) {
      if (first === null || this.#compare(cursor, first) < 0) first = cursor;
    }
    this.#given = first;
    if (first === null) return false;
    this.time = first.time;
    this.idHash = first.idHash;
    this.texts = first.texts;
    return true;
  }

  #leave(cursor: RunCursor): void {
    this.#active = this.#active.filter((other) => other !== cursor);
    if (!cursor.nextUser()) this.#runs = this.#runs.filter((other) => other !== cursor);
  }

  #clearVocabulary(): void {
    this.vocabulary.clear();
    for (const cursor of this.#active) cursor.readTexts();
  }

  #compare(one: RunCursor, other: RunCursor): number {
    const difference = one.time - other.time || one.idHash - other.idHash;
    return difference || this.vocabulary.compare(one.texts, other.texts);
  }
}
