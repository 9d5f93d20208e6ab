/** From a row's spans to an event: every text as its number in the vocabulary. */
import { MAX_ID_BYTES, MAX_TYPE_CHARS } from '../core/event.ts';
import { hash53 } from '../core/hash.ts';
import type { InputPlan } from './input.ts';
import {
  AMOUNT,
  CURRENCY,
  ID,
  type RejectReason,
  ROLES,
  type Row,
  TIME,
  TYPE,
  USER,
} from './row.ts';
import { TimeReader } from './time-reader.ts';
import type { ToUtc } from './time-zone.ts';
import { NO_TEXT, type Vocabulary } from './vocabulary.ts';

/** What has no id has no duplicates; the id of an event is never negative otherwise. */
export const NO_ID = -1;

/** Values of optional columns that couldn't be read; their events count without them. */
export interface LeftOut {
  readonly role: 'amount' | 'currency';
  /** Where the first one lies, and what it says. */
  readonly file: string;
  readonly line: number;
  readonly text: string;
  count: number;
}

export class Decoder {
  /** The event of the row that was decoded last. */
  time = 0;
  idHash = NO_ID;
  user = 0;
  readonly texts = new Int32Array(ROLES.length).fill(NO_TEXT);
  /** Why the row that was decoded last is none. */
  reason: RejectReason = 'missing_field';
  message = '';
  /** By role, with the first of its kind. */
  readonly leftOut = new Map<string, LeftOut>();

  readonly #vocabulary: Vocabulary;
  readonly #toUtc: ToUtc | null;
  #times: TimeReader;
  #file = '';
  #defaultType = new Uint8Array(0);

  constructor(vocabulary: Vocabulary, toUtc: ToUtc | null) {
    this.#vocabulary = vocabulary;
    this.#toUtc = toUtc;
    this.#times = new TimeReader(toUtc, 1000);
  }

  /** Rows of another input follow. */
  input(plan: InputPlan): void {
    this.#file = plan.name;
    this.#times = new TimeReader(this.#toUtc, plan.units);
    this.#defaultType = Buffer.from(plan.defaultType);
  }

  /** `userHash` is the hashBytes of the user's span. False: `reason` and `message` say why. */
  decode(row: Row, userHash: number): boolean {
    const { bytes, starts, ends } = row;
    const userStart = starts[USER]!;
    const userEnd = ends[USER]!;
    if (userEnd === userStart) return this.#fail('missing_field', 'the user is empty');
    if (userEnd - userStart > MAX_ID_BYTES) {
      return this.#fail('invalid_field', `the user is longer than ${MAX_ID_BYTES} bytes`);
    }
    this.user = this.#vocabulary.user(bytes, userStart, userEnd, userHash);
    if (this.user < 0) return this.#fail('invalid_field', 'the user is not UTF-8');
    this.time = this.#times.read(bytes, starts[TIME]!, ends[TIME]!);
    if (Number.isNaN(this.time)) return this.#failTime(row);
    this.idHash = NO_ID;
    if (ends[ID]! > starts[ID]!) {
      if (ends[ID]! - starts[ID]! > MAX_ID_BYTES) {
        return this.#fail('invalid_field', `the event's id is longer than ${MAX_ID_BYTES} bytes`);
      }
      this.idHash = hash53(row.text(ID));
    }
    if (ends[TYPE]! - starts[TYPE]! > MAX_TYPE_CHARS && row.text(TYPE).length > MAX_TYPE_CHARS) {
      return this.#fail('invalid_field', `the type is longer than ${MAX_TYPE_CHARS} characters`);
    }
    const { texts } = this;
    for (let role = TYPE; role < ROLES.length; role++) {
      texts[role] = this.#intern(bytes, starts[role]!, ends[role]!);
    }
    if (texts[TYPE] === NO_TEXT) {
      texts[TYPE] = this.#intern(this.#defaultType, 0, this.#defaultType.length);
    }
    if (texts[AMOUNT]! >= 0 || texts[CURRENCY]! >= 0) this.#checkMoney(row);
    return true;
  }

  #intern(bytes: Uint8Array, start: number, end: number): number {
    return start === end ? NO_TEXT : this.#vocabulary.number(bytes, start, end);
  }

  #checkMoney(row: Row): void {
    const { texts } = this;
    if (texts[AMOUNT]! >= 0 && this.#vocabulary.amount(texts[AMOUNT]!) === null) {
      this.#leaveOut('amount', row, AMOUNT);
    }
    // Without an amount it says nothing.
    if (texts[AMOUNT]! < 0) texts[CURRENCY] = NO_TEXT;
    if (texts[CURRENCY]! >= 0 && this.#vocabulary.currency(texts[CURRENCY]!) === null) {
      this.#leaveOut('currency', row, CURRENCY);
    }
  }

  #leaveOut(name: LeftOut['role'], row: Row, role: number): void {
    this.texts[role] = NO_TEXT;
    const known = this.leftOut.get(name);
    if (known !== undefined) known.count++;
    else {
      const text = row.text(role);
      this.leftOut.set(name, { role: name, file: this.#file, line: row.line, text, count: 1 });
    }
  }

  #failTime(row: Row): boolean {
    const text = row.text(TIME);
    if (text === '') return this.#fail('missing_field', 'the time is empty');
    return this.#fail('invalid_timestamp', `not a time: ${text.slice(0, 40)}`);
  }

  #fail(reason: RejectReason, message: string): false {
    this.reason = reason;
    this.message = message;
    return false;
  }
}
