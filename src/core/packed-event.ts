/**
 * An event as bytes: how it waits in its session, in memory and in the store.
 *
 * ```
 *  0 u16 length     of all of it
 *  2 u48 time       milliseconds since EPOCH_MS
 *  8 u32 idLow      of the id's hash
 * 12 u32 idHigh     its upper 21 bits; the highest bit is set for a negative one
 * 16 u8  flags      WITH_AMOUNT, WITH_ORIGIN
 * 17     type, page, device: texts
 *        [amount, currency]                   of purchases and cart additions
 *        [referrer, utm source, medium, campaign]
 * ```
 * Numbers are little-endian. A text is a variable-length number: 0 is none, up to KNOWN.length one
 * of KNOWN, more is a text of that many bytes beyond, which follow.
 */
import type { EventFacts } from './event.ts';
import { utf8, utf8Length, writeUtf8 } from './hash.ts';
import { TextCache } from './text-cache.ts';

/** Texts that take one byte. Their place is their number in the store: append only, up to 40. */
const KNOWN: readonly string[] = [
  'PAGE_VIEW',
  'CLICK',
  'SEARCH',
  'ADD_TO_CART',
  'PURCHASE',
  'SESSION_END',
  'mobile',
  'desktop',
  'tablet',
  'EUR',
  'USD',
  'GBP',
  'XXX',
];
/** The number of an empty text; one of n bytes is n more. */
const FIRST_LENGTH = 41;
const ADD_TO_CART = KNOWN.indexOf('ADD_TO_CART') + 1;
const PURCHASE = KNOWN.indexOf('PURCHASE') + 1;

const ID_AT = 8;
const FLAGS_AT = 16;
export const TYPE_AT = 17;
export const WITH_AMOUNT = 1;
export const WITH_ORIGIN = 2;
/** Times before 1970 are positive too, and those up to the year 9999 fit. */
const EPOCH_MS = -(2 ** 44);
/** The most that an event takes: texts of 512 characters, three bytes each, and the rest. */
export const MAX_PACKED_BYTES = 12 * 1024;

const texts = new TextCache();

/** KNOWN as bytes, by length. */
const KNOWN_BYTES: { readonly bytes: Uint8Array; readonly number: number }[][] = [];
for (const [index, text] of KNOWN.entries()) {
  while (KNOWN_BYTES.length <= text.length) KNOWN_BYTES.push([]);
  KNOWN_BYTES[text.length]!.push({ bytes: utf8(text), number: index + 1 });
}

/** Writes an event at `at`, where there must be room for MAX_PACKED_BYTES; returns its end. */
export function packEvent(event: EventFacts, bytes: Uint8Array, at: number): number {
  packHead(bytes, at, event.timestamp, event.idHash);
  let end = packText(event.eventType, bytes, at + TYPE_AT);
  end = packText(event.page, bytes, end);
  end = packText(event.device, bytes, end);
  let flags = 0;
  if (event.amountMicros !== null && countsMoney(bytes, at)) {
    flags |= WITH_AMOUNT;
    end = packMicros(event.amountMicros, bytes, end);
    end = packText(event.currency, bytes, end);
  }
  const { referrer, utmSource, utmMedium, utmCampaign } = event;
  if (referrer !== null || utmSource !== null || utmMedium !== null || utmCampaign !== null) {
    flags |= WITH_ORIGIN;
    end = packText(referrer, bytes, end);
    end = packText(utmSource, bytes, end);
    end = packText(utmMedium, bytes, end);
    end = packText(utmCampaign, bytes, end);
  }
  return packTail(bytes, at, end, flags);
}

/** Puts in what is known last. */
export function packTail(bytes: Uint8Array, at: number, end: number, flags: number): number {
  bytes[at + FLAGS_AT] = flags;
  bytes[at] = end - at;
  bytes[at + 1] = (end - at) >>> 8;
  return end;
}

/** Packs the text in `from[start, end)`; 0 when it isn't all ASCII. */
export function packAscii(
  from: Uint8Array,
  start: number,
  end: number,
  bytes: Uint8Array,
  at: number,
): number {
  const length = end - start;
  const known = knownNumber(from, start, length);
  if (known > 0) {
    bytes[at] = known;
    return at + 1;
  }
  let to = packNumber(FIRST_LENGTH + length, bytes, at);
  let seen = 0;
  for (let index = start; index < end; index++) {
    const byte = from[index]!;
    seen |= byte;
    bytes[to++] = byte;
  }
  return seen < 0x80 ? to : 0;
}

function knownNumber(bytes: Uint8Array, start: number, length: number): number {
  const candidates = KNOWN_BYTES[length];
  if (candidates === undefined) return 0;
  for (const candidate of candidates) {
    const known = candidate.bytes;
    let index = 0;
    while (index < length && known[index] === bytes[start + index]) index++;
    if (index === length) return candidate.number;
  }
  return 0;
}

export function packHead(bytes: Uint8Array, at: number, time: number, idHash: number): void {
  packTime(bytes, at, time);
  const id = Math.abs(idHash);
  packUint32(bytes, at + ID_AT, id >>> 0);
  packUint32(bytes, at + ID_AT + 4, Math.floor(id / 2 ** 32) | (idHash < 0 ? 1 << 31 : 0));
}

function packTime(bytes: Uint8Array, at: number, time: number): void {
  const since = time - EPOCH_MS;
  const high = Math.floor(since / 2 ** 32);
  packUint32(bytes, at + 2, since >>> 0);
  bytes[at + 6] = high;
  bytes[at + 7] = high >>> 8;
}

/** Of other events nobody asks for the amount. */
export function countsMoney(bytes: Uint8Array, at: number): boolean {
  const type = bytes[at + TYPE_AT];
  return type === ADD_TO_CART || type === PURCHASE;
}

/** Where the event ends that begins at `at`. */
export function packedEnd(bytes: Uint8Array, at: number): number {
  return at + (bytes[at]! | (bytes[at + 1]! << 8));
}

export function packedTime(bytes: Uint8Array, at: number): number {
  const high = bytes[at + 6]! | (bytes[at + 7]! << 8);
  return high * 2 ** 32 + uint32(bytes, at + 2) + EPOCH_MS;
}

export function packedId(bytes: Uint8Array, at: number): number {
  const high = uint32(bytes, at + ID_AT + 4);
  const id = (high & 0x7fffffff) * 2 ** 32 + uint32(bytes, at + ID_AT);
  return high >= 2 ** 31 ? -id : id;
}

/** Whether the id was made up for an event without one, which therefore can't come again. */
export function hasMadeUpId(bytes: Uint8Array, at: number): boolean {
  return bytes[at + ID_AT + 7]! >= 0x80;
}

/** 15 bits of the id. */
export function packedIdBits(bytes: Uint8Array, at: number): number {
  return bytes[at + ID_AT]! | (bytes[at + ID_AT + 1]! << 8);
}

export function hasSameId(
  one: Uint8Array,
  at: number,
  other: Uint8Array,
  otherAt: number,
): boolean {
  for (let index = ID_AT; index < FLAGS_AT; index++) {
    if (one[at + index] !== other[otherAt + index]) return false;
  }
  return true;
}

export function packedType(bytes: Uint8Array, at: number): string {
  place = at + TYPE_AT;
  return unpackText(bytes)!;
}

export function isAnyType(bytes: Uint8Array, at: number, types: readonly string[]): boolean {
  return types.includes(packedType(bytes, at));
}

/** The event without where it came from: of a session only the earliest one's is told. */
export function withoutOrigin(bytes: Uint8Array, at: number): void {
  if ((bytes[at + FLAGS_AT]! & WITH_ORIGIN) === 0) return;
  place = at + TYPE_AT;
  for (let text = 0; text < 3; text++) skipText(bytes);
  if ((bytes[at + FLAGS_AT]! & WITH_AMOUNT) !== 0) {
    unpackMicros(bytes);
    skipText(bytes);
  }
  packTail(bytes, at, place, bytes[at + FLAGS_AT]! & ~WITH_ORIGIN);
}

export function unpackEvent(bytes: Uint8Array, at: number): EventFacts {
  const flags = bytes[at + FLAGS_AT]!;
  const amount = (flags & WITH_AMOUNT) !== 0;
  const origin = (flags & WITH_ORIGIN) !== 0;
  place = at + TYPE_AT;
  return {
    idHash: packedId(bytes, at),
    timestamp: packedTime(bytes, at),
    eventType: unpackText(bytes)!,
    page: unpackText(bytes),
    device: unpackText(bytes),
    amountMicros: amount ? unpackMicros(bytes) : null,
    currency: amount ? unpackText(bytes) : null,
    referrer: origin ? unpackText(bytes) : null,
    utmSource: origin ? unpackText(bytes) : null,
    utmMedium: origin ? unpackText(bytes) : null,
    utmCampaign: origin ? unpackText(bytes) : null,
  };
}

/** Where the next field is read: set before the first one, moved on by each. */
let place = 0;

function packUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

function uint32(bytes: Uint8Array, at: number): number {
  const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
  return (low | (bytes[at + 3]! << 24)) >>> 0;
}

export function packText(text: string | null, bytes: Uint8Array, at: number): number {
  if (text === null) {
    bytes[at] = 0;
    return at + 1;
  }
  const known = KNOWN.indexOf(text);
  if (known >= 0) {
    bytes[at] = known + 1;
    return at + 1;
  }
  return writeUtf8(text, bytes, packNumber(FIRST_LENGTH + utf8Length(text), bytes, at));
}

function unpackText(bytes: Uint8Array): string | null {
  const number = unpackNumber(bytes);
  if (number < FIRST_LENGTH) return number === 0 ? null : KNOWN[number - 1]!;
  const start = place;
  place += number - FIRST_LENGTH;
  return texts.read(bytes, start, place);
}

function skipText(bytes: Uint8Array): void {
  const number = unpackNumber(bytes);
  if (number >= FIRST_LENGTH) place += number - FIRST_LENGTH;
}

/** Numbers of up to 28 bits: seven bits a byte. */
function packNumber(value: number, bytes: Uint8Array, at: number): number {
  let end = at;
  let rest = value;
  while (rest >= 0x80) {
    bytes[end++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[end++] = rest;
  return end;
}

function unpackNumber(bytes: Uint8Array): number {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[place++]!;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

/** A byte for the sign and the number of bytes, and these. */
export function packMicros(micros: bigint, bytes: Uint8Array, at: number): number {
  let end = at + 1;
  const size = micros < 0n ? -micros : micros;
  if (size <= BigInt(Number.MAX_SAFE_INTEGER)) {
    for (let rest = Number(size); rest > 0; rest = Math.floor(rest / 256)) bytes[end++] = rest;
  } else {
    for (let rest = size; rest > 0n; rest >>= 8n) bytes[end++] = Number(rest & 0xffn);
  }
  bytes[at] = (end - at - 1) * 2 + (micros < 0n ? 1 : 0);
  return end;
}

function unpackMicros(bytes: Uint8Array): bigint {
  const head = bytes[place++]!;
  const length = head >> 1;
  let size = 0n;
  if (length <= 6) {
    let value = 0;
    for (let index = length - 1; index >= 0; index--) value = value * 256 + bytes[place + index]!;
    size = BigInt(value);
  } else {
    for (let index = length - 1; index >= 0; index--)
      size = (size << 8n) | BigInt(bytes[place + index]!);
  }
  place += length;
  return head % 2 === 1 ? -size : size;
}
