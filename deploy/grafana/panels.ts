/** What all dashboards have in common: where the figures come from, and panels of lines. */
import { VizLegendOptionsBuilder } from '@grafana/grafana-foundation-sdk/common';
import {
  type Dashboard,
  DashboardBuilder,
  RowBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** PromQL, and what a line is called: a name, or labels as `{{label}}`. */
export type Query = readonly [expression: string, legend: string];

export interface Panel {
  readonly title: string;
  /** What to make of it. */
  readonly description: string;
  /** As Grafana names units. */
  readonly unit: string;
  readonly queries: readonly Query[];
}

export interface Row {
  /** The first row of a page needs none. */
  readonly title: string | null;
  readonly panels: readonly Panel[];
}

/** Half the width of a page. */
const WIDTH = 12;
const HEIGHT = 8;
/** As provisioning/datasources names it. */
const DATA_SOURCE = { type: 'prometheus', uid: 'prometheus' };

export function dashboard(uid: string, title: string, rows: readonly Row[]): Dashboard {
  const builder = new DashboardBuilder(`Lull: ${title}`)
    .uid(uid)
    .tags(['lull'])
    .readonly()
    .timezone('browser')
    .time({ from: 'now-1h', to: 'now' })
    .refresh('5s');
  for (const row of rows) {
    if (row.title !== null) builder.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) builder.withPanel(lines(panel));
  }
  return builder.build();
}

function lines({ title, description, unit, queries }: Panel): PanelBuilder {
  const panel = new PanelBuilder()
    .title(title)
    .description(description)
    .unit(unit)
    .min(0)
    .span(WIDTH)
    .height(HEIGHT)
    .fillOpacity(10)
    .legend(new VizLegendOptionsBuilder().showLegend(true))
    .datasource(DATA_SOURCE);
  for (const [index, [expression, legend]] of queries.entries()) {
    const refId = String.fromCharCode('A'.charCodeAt(0) + index);
    panel.withTarget(
      new DataqueryBuilder()
        .refId(refId)
        .expr(expression)
        .legendFormat(legend)
        .datasource(DATA_SOURCE),
    );
  }
  return panel;
}

/** Quantiles of a histogram over the interval that the page shows, by a label if given. */
export function quantiles(metric: string, by = '', where = ''): Query[] {
  const labels = by === '' ? 'le' : `le, ${by}`;
  const rate = `sum by (${labels}) (rate(${metric}_bucket${where}[$__rate_interval]))`;
  const legend = by === '' ? '' : ` {{${by}}}`;
  return [50, 95, 99].map((percent) => [
    `histogram_quantile(${percent / 100}, ${rate})`,
    `p${percent}${legend}`,
  ]);
}

/** Per second, summed, by labels if given. */
export function rate(series: string, by = ''): string {
  return `sum${by === '' ? '' : ` by (${by}) `}(rate(${series}[$__rate_interval]))`;
}
