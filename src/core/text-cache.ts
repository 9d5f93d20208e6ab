/** Strings of bytes that come again and again: types, pages, devices. */
import { readUtf8 } from './encoding.ts';

const SLOTS = 4096;
/** Longer texts are rarely the same, and take longer to compare. */
const LONGEST = 64;

/** One string a slot; another text of the same slot takes its place. */
export class TextCache {
  readonly #texts: string[] = new Array<string>(SLOTS).fill('');

  /** The text of the UTF-8 in `bytes[start, end)`. */
  read(bytes: Uint8Array, start: number, end: number): string {
    const length = end - start;
    if (length > LONGEST) return readUtf8(bytes, start, length);
    let hash = length;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const known = this.#texts[slot]!;
    if (isSame(known, bytes, start, length)) return known;
    const text = readUtf8(bytes, start, length);
    this.#texts[slot] = text;
    return text;
  }
}

/** Only for texts that are all ASCII: others are never found. */
function isSame(text: string, bytes: Uint8Array, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index);
    if (code !== bytes[start + index] || code >= 0x80) return false;
  }
  return true;
}
