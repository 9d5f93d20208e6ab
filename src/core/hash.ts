/** Hashes: one for ids and pages, Kafka's own for partitions, one for session ids. */

/**
 * 53-bit hash of a text, as a safe integer > 0. Kept where the text itself would be too large:
 * event ids (duplicates are told within one session) and distinct pages.
 */
export function hash53(text: string): number {
  let low = 0x9e3779b9;
  let high = 0x41c6ce57;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    low = Math.imul(low ^ code, 2654435761);
    high = Math.imul(high ^ code, 1597334677);
  }
  return finish53(low, high);
}

/** The same for the bytes of a text that is all ASCII. */
export function hash53Ascii(bytes: Uint8Array, start: number, end: number): number {
  let low = 0x9e3779b9;
  let high = 0x41c6ce57;
  for (let at = start; at < end; at++) {
    const code = bytes[at]!;
    low = Math.imul(low ^ code, 2654435761);
    high = Math.imul(high ^ code, 1597334677);
  }
  return finish53(low, high);
}

function finish53(low: number, high: number): number {
  const mixedLow = mix(low ^ (high >>> 13)) ^ high;
  const mixedHigh = mix(high ^ (mixedLow >>> 16));
  return (mixedHigh & 0x1fffff) * 4294967296 + (mixedLow >>> 0) + 1;
}

/** Partition of a key: murmur2 of its UTF-8 bytes, as Kafka's default partitioner has it. */
export function partitionOf(key: string, partitionCount: number): number {
  const length = utf8Length(key);
  const bytes = length <= SCRATCH.length ? SCRATCH : new Uint8Array(length);
  writeUtf8(key, bytes, 0);
  return (murmur2(bytes, length) & 0x7fffffff) % partitionCount;
}

/** Room for a key: an array for each would cost more than the hash. */
const SCRATCH = new Uint8Array(1024);

/** 32-bit MurmurHash2 with Kafka's seed (org.apache.kafka.common.utils.Utils.murmur2). */
export function murmur2(bytes: Uint8Array, length = bytes.length): number {
  let hash = 0x9747b28c ^ length;
  const end = length & ~3;
  for (let at = 0; at < end; at += 4) {
    let word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    word = Math.imul(word, 0x5bd1e995);
    word ^= word >>> 24;
    hash = Math.imul(hash, 0x5bd1e995) ^ Math.imul(word, 0x5bd1e995);
  }
  const rest = length & 3;
  if (rest === 3) hash ^= bytes[end + 2]! << 16;
  if (rest >= 2) hash ^= bytes[end + 1]! << 8;
  if (rest >= 1) hash = Math.imul(hash ^ bytes[end]!, 0x5bd1e995);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0x5bd1e995);
  return hash ^ (hash >>> 15);
}

/**
 * A session's id: 128 bits of hash over where its first accepted event lies, as 32 hex digits.
 * Reading the same log again gives the same ids; another log can't collide with them.
 */
export function sessionIdOf(logId: string, partition: number, offset: number): string {
  let id = '';
  for (let lane = 1; lane <= 4; lane++) {
    let hash = Math.imul(lane, 0x9e3779b9);
    for (let index = 0; index < logId.length; index++) {
      hash = Math.imul(hash ^ logId.charCodeAt(index), 0x01000193);
    }
    hash = mix(hash ^ partition);
    hash = mix(hash ^ (offset >>> 0));
    hash = mix(hash ^ Math.floor(offset / 4294967296) ^ lane);
    id += HEX[hash >>> 24]! + HEX[(hash >>> 16) & 0xff]!;
    id += HEX[(hash >>> 8) & 0xff]! + HEX[hash & 0xff]!;
  }
  return id;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** UTF-8 bytes of a text; lone surrogates become U+FFFD, as everywhere else. */
export function utf8(text: string): Uint8Array {
  const bytes = new Uint8Array(utf8Length(text));
  writeUtf8(text, bytes, 0);
  return bytes;
}

/** How many bytes a text takes in UTF-8. */
export function utf8Length(text: string): number {
  let length = text.length;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x80) continue;
    length += code < 0x800 ? 1 : 2;
    // The two units of a pair make four bytes together.
    if (code >= 0xd800 && code < 0xdc00 && isLow(text.charCodeAt(index + 1))) index++;
  }
  return length;
}

function isLow(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}

/** Writes a text's UTF-8 bytes at `at` and returns where they end; three bytes a unit suffice. */
export function writeUtf8(text: string, bytes: Uint8Array, at: number): number {
  let end = at;
  for (let index = 0; index < text.length; index++) {
    let code = text.charCodeAt(index);
    if (code < 0x80) {
      bytes[end++] = code;
      continue;
    }
    if (code < 0x800) {
      bytes[end++] = 0xc0 | (code >> 6);
      bytes[end++] = 0x80 | (code & 0x3f);
      continue;
    }
    if (code >= 0xd800 && code <= 0xdfff) {
      const next = text.charCodeAt(index + 1);
      if (code < 0xdc00 && isLow(next)) {
        code = 0x10000 + ((code & 0x3ff) << 10) + (next & 0x3ff);
        index++;
        bytes[end++] = 0xf0 | (code >> 18);
        bytes[end++] = 0x80 | ((code >> 12) & 0x3f);
        bytes[end++] = 0x80 | ((code >> 6) & 0x3f);
        bytes[end++] = 0x80 | (code & 0x3f);
        continue;
      }
      code = 0xfffd;
    }
    bytes[end++] = 0xe0 | (code >> 12);
    bytes[end++] = 0x80 | ((code >> 6) & 0x3f);
    bytes[end++] = 0x80 | (code & 0x3f);
  }
  return end;
}

/** Finaliser of MurmurHash3 (x86, 32 bits): every input bit reaches every output bit. */
function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
