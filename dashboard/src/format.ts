/** Numbers, durations, money and times as people read them, by their locale. */

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const share = new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const minute = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

export const NONE = '–';

export function formatCount(value: number): string {
  return whole.format(value);
}

/** null: it is not known. */
export function formatKnown(value: number | null | undefined): string {
  return value == null ? NONE : formatCount(value);
}

/** One decimal below a hundred, none above. */
export function formatFigure(value: number): string {
  return Math.abs(value) < 100 ? fine.format(value) : whole.format(value);
}

export function formatShare(value: number): string {
  return share.format(value);
}

/** Two units at most: `45 s`, `12 min 4 s`, `3 h 20 min`. */
export function formatDuration(seconds: number): string {
  if (seconds > 0 && seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  const total = Math.round(seconds);
  if (total < 60) return `${total} s`;
  const minutes = Math.floor(total / 60);
  if (minutes < 60) return two(`${minutes} min`, total % 60, 's');
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return two(`${hours} h`, minutes % 60, 'min');
  return two(`${Math.floor(hours / 24)} d`, hours % 24, 'h');
}

function two(first: string, second: number, unit: string): string {
  return second === 0 ? first : `${first} ${second} ${unit}`;
}

/** How far into a session: `0:00`, `12:04`, `1:02:30`. */
export function formatOffset(seconds: number): string {
  const total = Math.floor(seconds);
  const pad = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.floor(total / 60);
  if (minutes < 60) return `${minutes}:${pad(total % 60)}`;
  return `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(total % 60)}`;
}

/** Each currency by itself: they don't add up. */
export function formatMoney(sums: Readonly<Record<string, number>>): string {
  const parts = Object.entries(sums).map(([currency, amount]) => amountOf(amount, currency));
  return parts.length === 0 ? NONE : parts.join(' + ');
}

function amountOf(amount: number, currency: string): string {
  try {
    const format = new Intl.NumberFormat(undefined, { style: 'currency', currency });
    return format.format(amount);
  } catch {
    // Whatever clients send as a currency is kept.
    return `${fine.format(amount)} ${currency}`.trim();
  }
}

export function formatClock(time: string | number): string {
  return clock.format(new Date(time));
}

/** The time alone when it is of today. */
export function formatMoment(time: string | number): string {
  const date = new Date(time);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? minute.format(date) : `${day.format(date)}, ${minute.format(date)}`;
}

export function formatTime(time: string | number): string {
  return full.format(new Date(time));
}

/** `PAGE_VIEW` as `Page view`; names of other forms are left as they are. */
export function formatType(type: string): string {
  if (!/^[A-Z_]+$/.test(type)) return type;
  const words = type.replaceAll('_', ' ').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
