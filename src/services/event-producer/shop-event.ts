/** A simulated event, and its two ways of being written: JSON and CSV. */
import type { Utm } from './shop.ts';

/** The fields of an event as clients send it; null fields are left out. */
export interface ShopEvent {
  readonly eventId: string;
  readonly userId: string;
  readonly eventType: string;
  /** Epoch milliseconds. */
  readonly timestamp: number;
  readonly page: string;
  readonly referrer: string | null;
  readonly device: string;
  readonly productId: string | null;
  readonly category: string | null;
  readonly query: string | null;
  readonly quantity: number | null;
  readonly amountCents: number | null;
  readonly currency: string | null;
  readonly utm: Utm | null;
  /** What was clicked. */
  readonly element: string | null;
}

/**
 * The event as JSON, by concatenation (four times as fast as JSON.stringify); the shop's texts
 * need no escapes.
 */
export function eventJson(event: ShopEvent): string {
  let json =
    `{"eventId":"${event.eventId}","userId":"${event.userId}"` +
    `,"eventType":"${event.eventType}","timestamp":"${isoTime(event.timestamp)}"` +
    `,"page":"${event.page}"`;
  if (event.referrer !== null) json += `,"referrer":"${event.referrer}"`;
  json += `,"device":"${event.device}"`;
  if (event.productId !== null) json += `,"productId":"${event.productId}"`;
  if (event.category !== null) json += `,"category":"${event.category}"`;
  if (event.query !== null) json += `,"query":"${event.query}"`;
  if (event.quantity !== null) json += `,"quantity":${event.quantity}`;
  if (event.amountCents !== null) json += `,"amount":${decimal(event.amountCents)}`;
  if (event.currency !== null) json += `,"currency":"${event.currency}"`;
  if (event.utm !== null) {
    const { source, medium, campaign } = event.utm;
    json += `,"utm":{"source":"${source}","medium":"${medium}","campaign":"${campaign}"}`;
  }
  if (event.element !== null) json += `,"properties":{"element":"${event.element}"}`;
  return `${json}}`;
}

export const CSV_HEADER =
  'eventId,userId,eventType,timestamp,page,referrer,device,productId,category,query,quantity,' +
  'amount,currency,utm_source,utm_medium,utm_campaign,element';

/** The event as a CSV row; the shop's texts hold no commas and need no quotes. */
export function eventCsv(event: ShopEvent): string {
  const { utm } = event;
  const amount = event.amountCents === null ? '' : decimal(event.amountCents);
  return (
    `${event.eventId},${event.userId},${event.eventType},${isoTime(event.timestamp)}` +
    `,${event.page},${event.referrer ?? ''},${event.device},${event.productId ?? ''}` +
    `,${event.category ?? ''},${event.query ?? ''},${event.quantity ?? ''},${amount}` +
    `,${event.currency ?? ''},${utm?.source ?? ''},${utm?.medium ?? ''},${utm?.campaign ?? ''}` +
    `,${event.element ?? ''}`
  );
}

/** 5990 -> `59.90`. */
function decimal(cents: number): string {
  const rest = cents % 100;
  return `${(cents - rest) / 100}.${rest < 10 ? '0' : ''}${rest}`;
}

let cachedSecond = -1;
let cachedPrefix = '';

/** ISO 8601 with milliseconds; events of one second come together, so the rest is kept. */
function isoTime(timeMs: number): string {
  const second = Math.floor(timeMs / 1000);
  if (second !== cachedSecond) {
    cachedSecond = second;
    cachedPrefix = new Date(timeMs).toISOString().slice(0, 20);
  }
  const millisecond = timeMs - second * 1000;
  const zeros = millisecond < 10 ? '00' : millisecond < 100 ? '0' : '';
  return `${cachedPrefix}${zeros}${millisecond}Z`;
}
