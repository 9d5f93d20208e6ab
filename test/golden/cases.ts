/** Reads the shared session-window cases, where a checkout has them beside it. */

import { existsSync, readFileSync } from 'node:fs';
import { unless } from '../support/prerequisite.ts';

const FOLDER = new URL('../../../shared/cases/', import.meta.url);

export interface CaseSession {
  readonly key: string;
  readonly start: number;
  readonly end: number;
  readonly count: number;
}

export type CaseInput =
  | { readonly key: string; readonly ts: number; readonly watermark?: undefined }
  | { readonly watermark: number };

export interface Case {
  readonly name: string;
  readonly gap_ms: number;
  /** null: nothing is ever late. */
  readonly grace_ms: number | null;
  readonly time_model: string;
  readonly retention_ms?: number;
  readonly inputs: readonly CaseInput[];
  readonly expected_final_sessions: readonly CaseSession[];
  readonly closed_by_end?: readonly CaseSession[];
  readonly expected_dropped_inputs: readonly { readonly key: string; readonly ts: number }[];
}

export interface RandomCase {
  readonly name: string;
  readonly gap_ms: number;
  readonly grace_ms: number;
  readonly inputs: readonly { readonly key: string; readonly ts: number; readonly id: string }[];
  readonly expected_final_sessions: readonly (CaseSession & { readonly ids: readonly string[] })[];
  readonly emitted_at: readonly (number | null)[];
  readonly open_at_end: readonly CaseSession[];
  /** Ids of the events dropped as late, in order of arrival. */
  readonly expected_dropped_inputs: readonly string[];
}

/** Why the tests that need them are skipped; false when the cases are there. */
export const CASES_ABSENT = unless(
  existsSync(FOLDER),
  '../shared/cases is not beside this checkout',
);

export function readCases(file: string): Case[] {
  return JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Case[];
}

export function readRandomCases(): RandomCase[] {
  const lines = readFileSync(new URL('kafka-streams-random.jsonl', FOLDER), 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as RandomCase);
}
