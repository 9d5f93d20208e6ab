/** The ids of the events that a session accepted, by which duplicates are told. */

/** Ids of a chunk: once so many have come they are sealed and never written again. */
const CHUNK_IDS = 256;

/** A run of ids that never changes; `name` is unique within the user. */
export interface IdChunk {
  readonly name: number;
  readonly ids: readonly number[];
}

const NONE: readonly never[] = [];

/**
 * The newest ids (`tail`) are written with the session's record; older ones lie in sealed chunks
 * apart from it, so that a session of 100,000 events costs no more to change than a small one.
 * Those of a session's pending events are in the events themselves, and are not here.
 */
export class EventIds {
  tail: number[] = [];
  /** Names of the sealed chunks, oldest first. */
  chunks: readonly number[] = NONE;
  /** Sealed since the last commit, so not in the store yet. */
  unwritten: readonly IdChunk[] = NONE;
  /** Ids of all sealed chunks; null while they are left in the store. */
  #sealed: Set<number> | null = null;

  get loaded(): boolean {
    return this.chunks.length === 0 || this.#sealed !== null;
  }

  has(idHash: number): boolean {
    if (this.tail.includes(idHash)) return true;
    return this.#sealed?.has(idHash) ?? false;
  }

  /** Whether the tail is long enough to be sealed. */
  get isFull(): boolean {
    return this.tail.length >= CHUNK_IDS;
  }

  /** Takes in another session's ids; both are loaded. */
  absorb(other: EventIds): void {
    this.tail.push(...other.tail);
    this.chunks = [...this.chunks, ...other.chunks];
    this.unwritten = [...this.unwritten, ...other.unwritten];
    if (other.#sealed === null) return;
    if (this.#sealed === null) this.#sealed = other.#sealed;
    else for (const id of other.#sealed) this.#sealed.add(id);
  }

  /** Gives back the content of all sealed chunks, read from the store. */
  load(chunks: Iterable<readonly number[]>): void {
    this.#sealed = new Set();
    for (const chunk of chunks) for (const id of chunk) this.#sealed.add(id);
  }

  /** Leaves the ids to the store; nothing of them may be unwritten. */
  unload(): void {
    this.tail = [];
    this.#sealed = null;
  }

  /** Makes a chunk of the tail; `name` is the offset of the event at hand. */
  seal(name: number): void {
    this.unwritten = [...this.unwritten, { name, ids: this.tail }];
    this.chunks = [...this.chunks, name];
    this.#sealed ??= new Set();
    for (const id of this.tail) this.#sealed.add(id);
    this.tail = [];
  }
}
