/** One row of input as spans of bytes, by what the column means; and who takes rows. */

/** What a column can be. The first four are named by flags, the rest by the Event's own names. */
export const ROLES = [
  'user',
  'time',
  'id',
  'type',
  'page',
  'referrer',
  'device',
  'utmSource',
  'utmMedium',
  'utmCampaign',
  'amount',
  'currency',
] as const;

export type Role = (typeof ROLES)[number];

export const USER = 0;
export const TIME = 1;
export const ID = 2;
/** From here on: the roles whose texts are kept as they are. */
export const TYPE = 3;
export const PAGE = 4;
export const REFERRER = 5;
export const DEVICE = 6;
export const UTM_SOURCE = 7;
export const UTM_MEDIUM = 8;
export const UTM_CAMPAIGN = 9;
export const AMOUNT = 10;
export const CURRENCY = 11;

/** The reader's one row, overwritten by the next. An empty span is an absent value. */
export class Row {
  /** What the spans lie in: the block, or the reader's scratch where something was unescaped. */
  bytes: Uint8Array = new Uint8Array(0);
  readonly starts = new Int32Array(ROLES.length);
  readonly ends = new Int32Array(ROLES.length);
  /** Number of the row's first line in its file, from 1. */
  line = 0;
  /** The block that the row lies in, and where: for the rejects. */
  block: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;

  text(role: number): string {
    return utf8Text(this.bytes, this.starts[role]!, this.ends[role]!);
  }

  clear(): void {
    this.starts.fill(0);
    this.ends.fill(0);
  }
}

/** Takes what a reader finds, row by row. */
export interface RowTaker {
  row(row: Row): void;
  /** A row that isn't one; `row` says where it lies. */
  reject(row: Row, reason: RejectReason, message: string): void;
}

export type RejectReason =
  | 'missing_field'
  | 'invalid_field'
  | 'invalid_timestamp'
  | 'invalid_json'
  | 'not_an_object'
  | 'not_a_log_line'
  | 'wrong_field_count'
  | 'quote_not_closed'
  | 'text_after_quote'
  | 'line_too_long';

/** Reads the rows of blocks that begin and end between two rows. */
export interface RowReader {
  /**
   * Gives every row in `bytes[start, end)` to the taker; the last byte is a line feed. `firstLine`
   * is the number of the first line; returns that of the line after the block.
   */
  read(bytes: Uint8Array, start: number, end: number, firstLine: number, taker: RowTaker): number;
}

export const LF = 0x0a;
export const CR = 0x0d;
export const QUOTE = 0x22;

export function utf8Text(bytes: Uint8Array, start: number, end: number): string {
  return start === end ? '' : asBuffer(bytes).utf8Slice(start, end);
}

/** A Buffer over the same memory: its searches and slices are native. */
export function asBuffer(bytes: Uint8Array): NativeBuffer {
  if (bytes instanceof Buffer) return bytes as unknown as NativeBuffer;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) as unknown as NativeBuffer;
}

/** The methods of Buffer used here that its types leave out. */
export interface NativeBuffer extends Buffer<ArrayBufferLike> {
  utf8Slice(start: number, end: number): string;
  latin1Slice(start: number, end: number): string;
}
