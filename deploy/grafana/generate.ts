/** Writes the dashboards as Grafana reads them: `node deploy/grafana/generate.ts`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DASHBOARDS, fileOf, jsonOf } from './dashboards.ts';

for (const dashboard of DASHBOARDS) {
  writeFileSync(join(import.meta.dirname, 'dashboards', fileOf(dashboard)), jsonOf(dashboard));
}
