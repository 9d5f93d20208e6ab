/** Sessions as rows of CSV. */
import type { SessionRecord } from '../core/output.ts';
import { SESSION_FIELDS } from '../core/session-json.ts';

export const CSV_HEADER = `${SESSION_FIELDS.join(',')}\n`;

/** A row with its line feed. */
export function csvRow(record: SessionRecord): string {
  return `${SESSION_FIELDS.map((column) => csvField(record[column])).join(',')}\n`;
}

function csvField(value: unknown): string {
  if (value === null) return '';
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
