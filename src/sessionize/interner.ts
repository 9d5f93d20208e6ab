/** Texts as small numbers: each distinct run of bytes gets the next one. */
import { utf8Text } from './row.ts';

const FIRST_SLOTS = 1 << 12;
const FIRST_BYTES = 1 << 16;
/** What a text takes in the tables, and its string beside its characters. */
const ENTRY_BYTES = 80;

/** A hash of 32 bits, four bytes a step. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  const view = viewOf(bytes);
  let hash = start - end;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    hash = Math.imul(hash ^ view.getInt32(at, true), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}

let viewedBytes: Uint8Array = new Uint8Array(0);
let view = new DataView(viewedBytes.buffer);

/** A view of bytes, remembered: many texts of a block come in a row. */
function viewOf(bytes: Uint8Array): DataView {
  if (bytes !== viewedBytes) {
    viewedBytes = bytes;
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  return view;
}

/** An open-addressing table over one growing arena of bytes. */
export class Interner {
  readonly #maxChars: number;
  size = 0;
  #arena = new Uint8Array(FIRST_BYTES);
  #arenaView = new DataView(this.#arena.buffer);
  /** Where text n begins in the arena; it ends where the next one begins. */
  #starts = new Int32Array(FIRST_SLOTS);
  #hashes = new Int32Array(FIRST_SLOTS);
  /** By slot, the text's number plus one; 0 is free. At most half of the slots are taken. */
  #slots = new Int32Array(FIRST_SLOTS);
  #texts: (string | undefined)[] = [];

  /** Texts are given back cut to `maxChars`. */
  constructor(maxChars: number) {
    this.#maxChars = maxChars;
  }

  /** Bytes of memory that its texts take, about: in the arena, in the tables, as strings. */
  get heldBytes(): number {
    return this.#starts[this.size]! * 2 + this.size * ENTRY_BYTES;
  }

  /** The number of a text; `hash` is its `hashBytes`. */
  intern(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const number = this.#slots[slot]! - 1;
      if (number < 0) return this.#add(bytes, start, end, hash, slot);
      if (this.#hashes[number] === hash && this.#equals(number, bytes, start, end)) return number;
      slot = (slot + 1) & mask;
    }
  }

  text(number: number): string {
    const known = this.#texts[number];
    if (known !== undefined) return known;
    const text = utf8Text(this.#arena, this.#starts[number]!, this.#starts[number + 1]!);
    this.#texts[number] = text.length > this.#maxChars ? text.slice(0, this.#maxChars) : text;
    return this.#texts[number];
  }

  bytes(number: number): Uint8Array {
    return this.#arena.subarray(this.#starts[number]!, this.#starts[number + 1]!);
  }

  /** Forgets all texts; the memory is kept for the next ones. */
  clear(): void {
    this.size = 0;
    this.#slots.fill(0);
    this.#texts = [];
  }

  #equals(number: number, bytes: Uint8Array, start: number, end: number): boolean {
    const from = this.#starts[number]!;
    if (this.#starts[number + 1]! - from !== end - start) return false;
    const theirs = viewOf(bytes);
    const own = this.#arenaView;
    const distance = from - start;
    let at = start;
    for (; at + 4 <= end; at += 4) {
      if (own.getInt32(at + distance) !== theirs.getInt32(at)) return false;
    }
    for (; at < end; at++) if (this.#arena[at + distance] !== bytes[at]) return false;
    return true;
  }

  #setArena(arena: Uint8Array<ArrayBuffer>): void {
    this.#arena = arena;
    this.#arenaView = new DataView(arena.buffer);
  }

  #add(bytes: Uint8Array, start: number, end: number, hash: number, slot: number): number {
    const number = this.size++;
    const from = this.#starts[number]!;
    const to = from + end - start;
    while (to > this.#arena.length) this.#setArena(grown(this.#arena));
    this.#arena.set(bytes.subarray(start, end), from);
    if (number + 2 > this.#starts.length) {
      this.#starts = grown(this.#starts);
      this.#hashes = grown(this.#hashes);
    }
    this.#starts[number + 1] = to;
    this.#hashes[number] = hash;
    this.#slots[slot] = number + 1;
    if (this.size * 2 > this.#slots.length) this.#rehash();
    return number;
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let number = 0; number < this.size; number++) {
      let slot = this.#hashes[number]! & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    }
    this.#slots = slots;
  }
}

function grown<Array extends Uint8Array<ArrayBuffer> | Int32Array>(array: Array): Array {
  const larger = new (array.constructor as new (length: number) => Array)(array.length * 2);
  larger.set(array);
  return larger;
}
