/** Finds values in an object of JSON without building anything; gives up on what is unusual. */
import { utf8 } from './hash.ts';

/** Where values lie, by role; what is absent has an empty span, at 0. */
export interface Spans {
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** By role, where its value lies: keys from the outermost in; null for a role without one. */
export type KeyPaths = readonly (readonly string[] | null)[];

/** A key that is looked for. */
interface Wanted {
  readonly key: Uint8Array;
  /** A bit of its own, to notice that it comes twice. */
  readonly bit: number;
  /** Of its value; -1 for none. */
  readonly role: number;
  /** What is looked for in its value, if that is an object. */
  readonly inner: Keys;
}

/** Wanted keys by their length. */
type Keys = readonly (readonly Wanted[] | undefined)[];

const NO_KEYS: Keys = [];
/** Objects and arrays in one another; deeper ones are left to the real parser. */
const MAX_DEPTH = 20;

/**
 * What it accepts it reads exactly as `JSON.parse` would. It gives up, and leaves the spans half
 * written, on everything that is wrong and on some of what is right: escapes, wanted keys that
 * come twice, numbers that JavaScript would write in another way.
 */
export class JsonScanner {
  readonly #keys: Keys;
  readonly #strictRoles: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #seen = 0;
  #spans: Spans = { starts: new Int32Array(0), ends: new Int32Array(0) };

  /** It gives up where one of the first `strictRoles` is neither text nor number nor null. */
  constructor(paths: KeyPaths, strictRoles: number) {
    this.#keys = keysOf(paths);
    this.#strictRoles = strictRoles;
  }

  /** Puts down the spans of the object in `bytes[start, end)`; false when it gives up. */
  scan(spans: Spans, bytes: Uint8Array, start: number, end: number): boolean {
    this.#spans = spans;
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#seen = 0;
    spans.starts.fill(0);
    spans.ends.fill(0);
    if (this.#next() !== OPEN_BRACE || !this.#object(this.#keys, 1)) return false;
    return this.#next() < 0;
  }

  /** The next byte that isn't space; -1 at the end. It is not passed. */
  #next(): number {
    while (this.#at < this.#end) {
      const byte = this.#bytes[this.#at]!;
      if (byte > SPACE || !isSpace(byte)) return byte;
      this.#at++;
    }
    return -1;
  }

  /** An object, which begins here. */
  #object(keys: Keys, depth: number): boolean {
    if (depth > MAX_DEPTH) return false;
    this.#at++;
    if (this.#next() === CLOSE_BRACE) return this.#pass();
    for (;;) {
      if (this.#next() !== QUOTE) return false;
      const start = this.#at + 1;
      if (!this.#string()) return false;
      const wanted = this.#find(keys, start, this.#at - 1);
      if (this.#next() !== COLON) return false;
      this.#at++;
      if (!(wanted === null ? this.#value(NO_KEYS, depth) : this.#wanted(wanted, depth))) {
        return false;
      }
      const after = this.#next();
      if (after === CLOSE_BRACE) return this.#pass();
      if (after !== COMMA) return false;
      this.#at++;
    }
  }

  #array(depth: number): boolean {
    if (depth > MAX_DEPTH) return false;
    this.#at++;
    if (this.#next() === CLOSE_BRACKET) return this.#pass();
    for (;;) {
      if (!this.#value(NO_KEYS, depth)) return false;
      const after = this.#next();
      if (after === CLOSE_BRACKET) return this.#pass();
      if (after !== COMMA) return false;
      this.#at++;
    }
  }

  /** A value; if it is an object, with keys that are looked for. */
  #value(keys: Keys, depth: number): boolean {
    const byte = this.#next();
    if (byte === QUOTE) return this.#string();
    if (byte === OPEN_BRACE) return this.#object(keys, depth + 1);
    if (byte === OPEN_BRACKET) return this.#array(depth + 1);
    if (byte === LOWER_T) return this.#literal(TRUE);
    if (byte === LOWER_F) return this.#literal(FALSE);
    if (byte === LOWER_N) return this.#literal(NULL);
    return this.#number() >= 0;
  }

  /** The value of a key that is looked for. */
  #wanted({ bit, role, inner }: Wanted, depth: number): boolean {
    if ((this.#seen & bit) !== 0) return false;
    this.#seen |= bit;
    const { starts, ends } = this.#spans;
    const first = this.#next();
    const start = this.#at;
    if (role < 0) return this.#value(inner, depth);
    if (first === QUOTE) {
      if (!this.#string()) return false;
      starts[role] = start + 1;
      ends[role] = this.#at - 1;
      return true;
    }
    if (first === DASH || (first >= ZERO && first <= NINE)) {
      if (this.#number() !== PLAIN) return false;
      starts[role] = start;
      ends[role] = this.#at;
      return true;
    }
    // Whoever needs the value must say what is wrong with any other.
    return (role >= this.#strictRoles || first === LOWER_N) && this.#value(inner, depth);
  }

  #find(keys: Keys, start: number, end: number): Wanted | null {
    const candidates = keys[end - start];
    if (candidates === undefined) return null;
    for (const candidate of candidates) {
      const { key } = candidate;
      let index = 0;
      while (index < key.length && key[index] === this.#bytes[start + index]) index++;
      if (index === key.length) return candidate;
    }
    return null;
  }

  /** A string without escapes, which begins here. */
  #string(): boolean {
    const bytes = this.#bytes;
    let at = this.#at + 1;
    for (; at < this.#end; at++) {
      const byte = bytes[at]!;
      if (byte === QUOTE) {
        this.#at = at + 1;
        return true;
      }
      if (byte === BACKSLASH || byte < SPACE) return false;
    }
    return false;
  }

  /** A number: PLAIN if JavaScript would write it as it stands, else ODD; -1 if it is none. */
  #number(): number {
    const start = this.#at;
    if (this.#bytes[this.#at] === DASH) this.#at++;
    const whole = this.#at;
    const wholeDigits = this.#digits();
    if (wholeDigits === 0 || (wholeDigits > 1 && this.#bytes[whole] === ZERO)) return -1;
    let fractionDigits = 0;
    if (this.#bytes[this.#at] === POINT) {
      this.#at++;
      fractionDigits = this.#digits();
      if (fractionDigits === 0) return -1;
    }
    const last = this.#bytes[this.#at - 1];
    if (this.#bytes[this.#at] === LOWER_E || this.#bytes[this.#at] === UPPER_E) {
      this.#at++;
      if (this.#bytes[this.#at] === DASH || this.#bytes[this.#at] === PLUS) this.#at++;
      return this.#digits() === 0 ? -1 : ODD;
    }
    if (fractionDigits > 0) {
      return wholeDigits <= 9 && fractionDigits <= 6 && last !== ZERO ? PLAIN : ODD;
    }
    const isMinusZero = start < whole && this.#bytes[whole] === ZERO;
    return wholeDigits <= 15 && !isMinusZero ? PLAIN : ODD;
  }

  /** Passes digits and counts them. */
  #digits(): number {
    const start = this.#at;
    while (this.#at < this.#end) {
      const byte = this.#bytes[this.#at]!;
      if (byte < ZERO || byte > NINE) break;
      this.#at++;
    }
    return this.#at - start;
  }

  #literal(text: Uint8Array): boolean {
    for (const byte of text) if (this.#bytes[this.#at++] !== byte) return false;
    return this.#at <= this.#end;
  }

  #pass(): true {
    this.#at++;
    return true;
  }
}

function keysOf(paths: KeyPaths): Keys {
  let bit = 1;
  const build = (roles: readonly number[], depth: number): Keys => {
    const keys: Wanted[][] = [];
    for (const text of new Set(roles.map((role) => paths[role]![depth]!))) {
      const same = roles.filter((role) => paths[role]![depth] === text);
      const leaf = same.find((role) => paths[role]!.length === depth + 1) ?? -1;
      const key = utf8(text);
      const ownBit = bit;
      bit *= 2;
      const inner = build(
        same.filter((role) => paths[role]!.length > depth + 1),
        depth + 1,
      );
      keys[key.length] ??= [];
      keys[key.length]!.push({ key, bit: ownBit, role: leaf, inner });
    }
    return keys;
  };
  const roles = paths.map((_, role) => role);
  return build(
    roles.filter((role) => (paths[role] ?? null) !== null),
    0,
  );
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

const PLAIN = 1;
const ODD = 0;
const TRUE = utf8('true');
const FALSE = utf8('false');
const NULL = utf8('null');
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const DASH = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const UPPER_E = 0x45;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const LOWER_E = 0x65;
const LOWER_F = 0x66;
const LOWER_N = 0x6e;
const LOWER_T = 0x74;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
