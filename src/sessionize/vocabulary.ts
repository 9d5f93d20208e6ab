/** The texts of many events, each kept once and known by a number. */
import { type Event, MAX_ID_BYTES, MAX_TEXT_CHARS } from '../core/event.ts';
import { parseMoney } from '../core/money.ts';
import { hashBytes, Interner } from './interner.ts';
import {
  AMOUNT,
  CURRENCY,
  DEVICE,
  PAGE,
  REFERRER,
  TYPE,
  UTM_CAMPAIGN,
  UTM_MEDIUM,
  UTM_SOURCE,
} from './row.ts';

/** Stands for a text that isn't there. */
export const NO_TEXT = -1;

/** What is kept of a text: more bytes than the characters that are shown can take. */
export const MAX_TEXT_BYTES = 4 * MAX_TEXT_CHARS;

export class Vocabulary {
  readonly users = new Interner(MAX_ID_BYTES);
  readonly texts = new Interner(MAX_TEXT_CHARS);
  /** Amounts in millionths by the number of their text. */
  #amounts: (bigint | null | undefined)[] = [];
  /** Numbers of users whose bytes are not UTF-8: two of them must not become one. */
  readonly #brokenUsers = new Set<number>();

  get heldBytes(): number {
    return this.users.heldBytes + this.texts.heldBytes;
  }

  clear(): void {
    this.users.clear();
    this.texts.clear();
    this.#amounts = [];
    this.#brokenUsers.clear();
  }

  /** The number of a user; NO_TEXT when it isn't UTF-8. */
  user(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const { users } = this;
    const known = users.size;
    const number = users.intern(bytes, start, end, hash);
    if (number === known && users.text(number).includes('\ufffd')) this.#brokenUsers.add(number);
    return this.#brokenUsers.size > 0 && this.#brokenUsers.has(number) ? NO_TEXT : number;
  }

  /** The number of a text that isn't a user. */
  number(bytes: Uint8Array, start: number, end: number): number {
    const cut = Math.min(end, start + MAX_TEXT_BYTES);
    return this.texts.intern(bytes, start, cut, hashBytes(bytes, start, cut));
  }

  text(number: number): string | null {
    return number < 0 ? null : this.texts.text(number);
  }

  /** Millionths; null when the text isn't an amount. */
  amount(number: number): bigint | null {
    if (number < 0) return null;
    const known = this.#amounts[number];
    if (known !== undefined) return known;
    const amount = parseMoney(this.texts.text(number));
    this.#amounts[number] = amount;
    return amount;
  }

  /** A currency's code in capitals; null when the text isn't one. */
  currency(number: number): string | null {
    const text = this.text(number);
    return text !== null && /^[A-Za-z]{3}$/.test(text) ? text.toUpperCase() : null;
  }

  /** Order of two events that are alike in time and id: by their texts, role by role. */
  compare(one: Int32Array, other: Int32Array): number {
    for (let role = TYPE; role < one.length; role++) {
      if (one[role] === other[role]) continue;
      const text = this.text(one[role]!) ?? '';
      const otherText = this.text(other[role]!) ?? '';
      if (text !== otherText) return text < otherText ? -1 : 1;
    }
    return 0;
  }

  /** An event of these texts, by role. */
  event(user: string, time: number, idHash: number, texts: Int32Array): Event {
    const amountMicros = this.amount(texts[AMOUNT]!);
    return {
      idHash,
      userId: user,
      eventType: this.texts.text(texts[TYPE]!),
      timestamp: time,
      page: this.text(texts[PAGE]!),
      referrer: this.text(texts[REFERRER]!),
      device: this.text(texts[DEVICE]!),
      utmSource: this.text(texts[UTM_SOURCE]!),
      utmMedium: this.text(texts[UTM_MEDIUM]!),
      utmCampaign: this.text(texts[UTM_CAMPAIGN]!),
      amountMicros,
      currency: amountMicros === null ? null : (this.currency(texts[CURRENCY]!) ?? 'XXX'),
    };
  }
}
