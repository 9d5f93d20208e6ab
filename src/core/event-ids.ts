/** The ids of the events that a session accepted, by which duplicates are told. */

/** Ids of a chunk: once so many have come they are sealed and never written again. */
export const CHUNK_IDS = 256;

/** A run of ids that never changes; `name` is unique within the user. */
export interface IdChunk {
  readonly name: number;
  readonly ids: readonly number[];
}

/**
 * The newest ids (`tail`) are written with the session's record; older ones lie in sealed chunks
 * apart from it, so that a session of 100,000 events costs no more to change than a small one.
 */
export class EventIds {
  tail: number[] = [];
  /** Names of the sealed chunks, oldest first. */
  chunks: number[] = [];
  /** Sealed since the last commit, so not in the store yet. */
  unwritten: IdChunk[] = [];
  /** Ids of all sealed chunks; null while they are left in the store. */
  #sealed: Set<number> | null = null;

  get loaded(): boolean {
    return this.chunks.length === 0 || this.#sealed !== null;
  }

  has(idHash: number): boolean {
    if (this.tail.includes(idHash)) return true;
    return this.#sealed?.has(idHash) ?? false;
  }

  /** `name` names the chunk that this id may complete: the offset of its event. */
  add(idHash: number, name: number): void {
    this.tail.push(idHash);
    if (this.tail.length < CHUNK_IDS) return;
    this.unwritten.push({ name, ids: this.tail });
    this.chunks.push(name);
    this.#sealed ??= new Set();
    for (const id of this.tail) this.#sealed.add(id);
    this.tail = [];
  }

  /** Takes in another session's ids; both are loaded. */
  absorb(other: EventIds): void {
    this.tail.push(...other.tail);
    this.chunks.push(...other.chunks);
    this.unwritten.push(...other.unwritten);
    if (other.#sealed === null) return;
    if (this.#sealed === null) this.#sealed = other.#sealed;
    else for (const id of other.#sealed) this.#sealed.add(id);
  }

  /** Gives back the content of all sealed chunks, read from the store. */
  load(chunks: Iterable<readonly number[]>): void {
    this.#sealed = new Set();
    for (const chunk of chunks) for (const id of chunk) this.#sealed.add(id);
  }

  /** Leaves the sealed ids to the store; nothing of them may be unwritten. */
  unload(): void {
    this.#sealed = null;
  }
}
