/** The users of a partition that are in memory, by id: as a text, or as the bytes of one. */
import { readUtf8 } from './encoding.ts';
import { User } from './user.ts';

const FIRST_SLOTS = 1024;

/**
 * A map, and before it one place for each of many hashes, where most users are found by their
 * bytes: a string for every event would cost more than the look-up.
 */
export class Users extends Map<string, User> {
  #slots: (User | null)[] = new Array<User | null>(FIRST_SLOTS).fill(null);

  /** One that is not loaded yet. */
  add(userId: string): User {
    const user = new User(userId, false);
    this.set(userId, user);
    return user;
  }

  /** The user whose id is the ASCII in `bytes[start, end)`. */
  find(bytes: Uint8Array, start: number, end: number): User | undefined {
    let hash = 0;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x9e3779b1);
    const slot = (hash ^ (hash >>> 15)) & (this.#slots.length - 1);
    const known = this.#slots[slot]!;
    if (known !== null && !known.evicted && isCalled(known.id, bytes, start, end)) return known;
    const user = this.get(readUtf8(bytes, start, end - start));
    if (user === undefined) return undefined;
    if (2 * this.size > this.#slots.length) {
      this.#slots = new Array<User | null>(4 * this.#slots.length).fill(null);
    } else this.#slots[slot] = user;
    return user;
  }
}

function isCalled(id: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (id.length !== end - start) return false;
  for (let index = 0; index < id.length; index++) {
    if (id.charCodeAt(index) !== bytes[start + index]) return false;
  }
  return true;
}
