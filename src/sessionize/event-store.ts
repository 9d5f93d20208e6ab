/** Events of many users in memory, compact, and given back user by user in order of time. */
import { type Decoder, NO_ID } from './decoder.ts';
import type { EventCursor } from './event-cursor.ts';
import { ID, ROLES, TIME, TYPE, USER } from './row.ts';
import { NO_TEXT, type Vocabulary } from './vocabulary.ts';

const BLOCK_BITS = 14;
const BLOCK_ROWS = 1 << BLOCK_BITS;
const ROW_IN_BLOCK = BLOCK_ROWS - 1;

/**
 * Where a row keeps what, counted in its 32-bit words; -1 for what no row has had so far. Time
 * and id are 64 bits wide.
 */
interface Layout {
  readonly words: number;
  readonly slots: Int8Array;
}

interface RowBlock {
  readonly layout: Layout;
  readonly words: Int32Array;
  readonly doubles: Float64Array;
}

export class EventStore {
  readonly vocabulary: Vocabulary;
  rowCount = 0;
  #blocks: RowBlock[] = [];
  /** Blocks that were filled before, to be filled again. */
  #spare: RowBlock[] = [];
  #layout = layoutOf([TIME, USER, TYPE]);
  readonly #texts = new Int32Array(ROLES.length).fill(NO_TEXT);

  constructor(vocabulary: Vocabulary) {
    this.vocabulary = vocabulary;
  }

  /** Bytes of memory that its events take, and will take while they are given back. */
  get heldBytes(): number {
    let bytes = this.vocabulary.heldBytes;
    for (const block of this.#blocks) bytes += block.words.byteLength;
    return bytes + Int32Array.BYTES_PER_ELEMENT * this.rowCount;
  }

  /** Takes the decoder's event. */
  add(decoder: Decoder): void {
    const { texts } = decoder;
    const index = this.rowCount & ROW_IN_BLOCK;
    if (this.rowCount >> BLOCK_BITS === this.#blocks.length) {
      this.#blocks.push(this.#spare.pop() ?? newBlock(this.#layout));
    }
    const { words, doubles } = this.#blocks[this.#blocks.length - 1]!;
    const { slots } = this.#layout;
    const at = index * this.#layout.words;
    doubles[at >> 1] = decoder.time;
    words[at + slots[USER]!] = decoder.user;
    if (slots[ID]! >= 0) doubles[(at + slots[ID]!) >> 1] = decoder.idHash;
    else if (decoder.idHash !== NO_ID) return this.#addWider(ID, decoder);
    for (let role = TYPE; role < ROLES.length; role++) {
      if (slots[role]! >= 0) words[at + slots[role]!] = texts[role]!;
      else if (texts[role] !== NO_TEXT) return this.#addWider(role, decoder);
    }
    this.rowCount++;
  }

  /** Forgets everything; the memory is kept for what comes next. */
  clear(): void {
    this.rowCount = 0;
    this.#spare = this.#blocks.filter((block) => block.layout === this.#layout);
    this.#blocks = [];
    this.vocabulary.clear();
  }

  cursor(): EventCursor {
    return new StoreCursor(this);
  }

  /** Users in the order of their texts. */
  users(): { names: string[]; order: number[] } {
    const { users } = this.vocabulary;
    const names = Array.from({ length: users.size }, (_, user) => users.text(user));
    const order = names.map((_, user) => user);
    order.sort((one, other) => (names[one]! < names[other]! ? -1 : 1));
    return { names, order };
  }

  /** Puts a user's rows in order. */
  sort(rows: Int32Array): void {
    if (!this.#inOrder(rows)) rows.sort((one, other) => this.#compare(one, other));
  }

  time(row: number): number {
    const { layout, doubles } = this.#blocks[row >> BLOCK_BITS]!;
    return doubles[((row & ROW_IN_BLOCK) * layout.words) >> 1]!;
  }

  idHash(row: number): number {
    const { layout, doubles } = this.#blocks[row >> BLOCK_BITS]!;
    const slot = layout.slots[ID]!;
    return slot < 0 ? NO_ID : doubles[((row & ROW_IN_BLOCK) * layout.words + slot) >> 1]!;
  }

  /** Numbers of the row's texts by role; the next call overwrites them. */
  texts(row: number): Int32Array {
    const { layout, words } = this.#blocks[row >> BLOCK_BITS]!;
    const at = (row & ROW_IN_BLOCK) * layout.words;
    for (let role = TYPE; role < ROLES.length; role++) {
      const slot = layout.slots[role]!;
      this.#texts[role] = slot < 0 ? NO_TEXT : words[at + slot]!;
    }
    return this.#texts;
  }

  /** Gives the rows of the block being filled, and of those to come, a place for one role more. */
  #addWider(role: number, decoder: Decoder): void {
    const from = this.#blocks.pop()!;
    const roles = ROLES.map((_, index) => index).filter((index) => from.layout.slots[index]! >= 0);
    this.#layout = layoutOf([...roles, role]);
    this.#spare = [];
    const to = newBlock(this.#layout);
    this.#blocks.push(to);
    for (let index = 0; index < (this.rowCount & ROW_IN_BLOCK); index++) {
      for (const known of roles) {
        const source = index * from.layout.words + from.layout.slots[known]!;
        const target = index * to.layout.words + to.layout.slots[known]!;
        to.words[target] = from.words[source]!;
        if (known === TIME || known === ID) to.words[target + 1] = from.words[source + 1]!;
      }
      const target = index * to.layout.words + to.layout.slots[role]!;
      if (role === ID) to.doubles[target >> 1] = NO_ID;
      else to.words[target] = NO_TEXT;
    }
    this.add(decoder);
  }

  /** Rows by user, in the order in which they came, and where each user's end. */
  groupByUser(): { rows: Int32Array; ends: Int32Array } {
    const ends = new Int32Array(this.vocabulary.users.size);
    for (let row = 0; row < this.rowCount; row++) ends[this.#user(row)]!++;
    for (let user = 0, start = 0; user < ends.length; user++) {
      const count = ends[user]!;
      ends[user] = start;
      start += count;
    }
    const rows = new Int32Array(this.rowCount);
    for (let row = 0; row < this.rowCount; row++) rows[ends[this.#user(row)]!++] = row;
    return { rows, ends };
  }

  #user(row: number): number {
    const { layout, words } = this.#blocks[row >> BLOCK_BITS]!;
    return words[(row & ROW_IN_BLOCK) * layout.words + layout.slots[USER]!]!;
  }

  #inOrder(rows: Int32Array): boolean {
    let last = Number.NEGATIVE_INFINITY;
    for (const row of rows) {
      const time = this.time(row);
      if (time <= last) return false;
      last = time;
    }
    return true;
  }

  #compare(one: number, other: number): number {
    const difference = this.time(one) - this.time(other) || this.idHash(one) - this.idHash(other);
    if (difference !== 0) return difference;
    const texts = this.texts(one).slice();
    return this.vocabulary.compare(texts, this.texts(other));
  }
}

/** A store's events; the store must not change under it. */
class StoreCursor implements EventCursor {
  readonly vocabulary: Vocabulary;
  user = '';
  time = 0;
  idHash = NO_ID;
  texts: Int32Array = new Int32Array(0);
  readonly #store: EventStore;
  readonly #names: string[];
  readonly #order: number[];
  readonly #rows: Int32Array;
  readonly #ends: Int32Array;
  #nextUser = 0;
  #userRows: Int32Array = new Int32Array(0);
  #nextRow = 0;

  constructor(store: EventStore) {
    this.#store = store;
    this.vocabulary = store.vocabulary;
    ({ names: this.#names, order: this.#order } = store.users());
    ({ rows: this.#rows, ends: this.#ends } = store.groupByUser());
  }

  nextUser(): boolean {
    while (this.#nextUser < this.#order.length) {
      const user = this.#order[this.#nextUser++]!;
      const rows = this.#rows.subarray(user === 0 ? 0 : this.#ends[user - 1]!, this.#ends[user]!);
      if (rows.length === 0) continue;
      this.#store.sort(rows);
      this.#userRows = rows;
      this.#nextRow = 0;
      this.user = this.#names[user]!;
      return true;
    }
    return false;
  }

  nextEvent(): boolean {
    if (this.#nextRow === this.#userRows.length) return false;
    const row = this.#userRows[this.#nextRow++]!;
    this.time = this.#store.time(row);
    this.idHash = this.#store.idHash(row);
    this.texts = this.#store.texts(row);
    return true;
  }
}

/** Time and id take two words each and lie at even ones, so that they can be read as doubles. */
function layoutOf(roles: readonly number[]): Layout {
  const slots = new Int8Array(ROLES.length).fill(-1);
  let words = 0;
  for (const wide of [TIME, ID]) {
    if (!roles.includes(wide)) continue;
    slots[wide] = words;
    words += 2;
  }
  for (const role of roles) if (slots[role]! < 0) slots[role] = words++;
  return { words: words + (words & 1), slots };
}

function newBlock(layout: Layout): RowBlock {
  const words = new Int32Array(layout.words * BLOCK_ROWS);
  return { layout, words, doubles: new Float64Array(words.buffer) };
}
