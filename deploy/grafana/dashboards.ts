/** All dashboards, and the files that they become. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { overview } from './overview.ts';
import { processor } from './processor.ts';
import { serving } from './serving.ts';

export const DASHBOARDS: readonly Dashboard[] = [overview, processor, serving];

export function fileOf({ uid }: Dashboard): string {
  return `${uid}.json`;
}

export function jsonOf(dashboard: Dashboard): string {
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
