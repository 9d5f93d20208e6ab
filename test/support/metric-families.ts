/** Metrics in Prometheus' text format, read; and the queries of the dashboards, asked. */
import { DASHBOARDS } from '../../deploy/grafana/dashboards.ts';
import type { Prometheus } from './prometheus.ts';

export interface Family {
  readonly type: string;
  readonly help: string;
  /** Those that its samples have. */
  readonly labels: ReadonlySet<string>;
}

export function familiesOf(text: string): Map<string, Family> {
  const families = new Map<string, Family & { readonly labels: Set<string> }>();
  for (const [, name, help, type] of text.matchAll(/^# HELP (\w+) (.*)\n# TYPE \1 (\w+)$/gm)) {
    families.set(name!, { type: type!, help: help!, labels: new Set() });
  }
  for (const [, sample = '', labels = ''] of text.matchAll(/^(\w+)\{(.*)\} /gm)) {
    const family = families.get(sample) ?? families.get(sample.replace(/_(bucket|sum|count)$/, ''));
    for (const [, label = ''] of labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) {
      if (label !== 'le') family?.labels.add(label);
    }
  }
  return families;
}

/** Long enough for two scrapes and what is recorded of them, whatever else the machine does. */
const PATIENCE_MS = 120_000;
const RATE_INTERVAL = '30s';

/**
 * The queries of the dashboards that have no number for an answer, however often they are asked;
 * `use` is called between two rounds.
 */
export async function unanswered(
  prometheus: Prometheus,
  isLeftOut: (expression: string) => boolean,
  use: (turn: number) => Promise<void>,
): Promise<string[]> {
  const panels = DASHBOARDS.flatMap((dashboard) => dashboard.panels ?? []);
  const targets = panels.flatMap((panel) => ('targets' in panel ? (panel.targets ?? []) : []));
  let expressions = targets
    .map((target) => (target as { expr?: string }).expr ?? '')
    .filter((expression) => !isLeftOut(expression));
  if (expressions.length === 0) throw new Error('no panel asks for anything');
  const endMs = performance.now() + PATIENCE_MS;
  for (let turn = 0; expressions.length > 0 && performance.now() < endMs; turn++) {
    await use(turn);
    const answers = await Promise.all(
      expressions.map((expression) =>
        prometheus.query(expression.replaceAll('$__rate_interval', RATE_INTERVAL)),
      ),
    );
    expressions = expressions.filter((_, index) => {
      return !answers[index]!.some(({ value }) => Number.isFinite(value));
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return expressions;
}
