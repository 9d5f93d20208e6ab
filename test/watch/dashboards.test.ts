/** Grafana's dashboards: their files are those that the code makes, the brief's four first. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DASHBOARDS, fileOf, jsonOf } from '../../deploy/grafana/dashboards.ts';

const folder = 'deploy/grafana/dashboards';

test('the files are what the code makes', () => {
  // After a change: node deploy/grafana/generate.ts
  assert.deepEqual(readdirSync(folder).toSorted(), DASHBOARDS.map(fileOf).toSorted());
  for (const dashboard of DASHBOARDS) {
    const written = readFileSync(`${folder}/${fileOf(dashboard)}`, 'utf8');
    assert.equal(written, jsonOf(dashboard), `${fileOf(dashboard)} is stale`);
  }
});

test('the overview begins with events, active sessions, durations and conversion', () => {
  const titles = (DASHBOARDS[0]?.panels ?? []).map(({ title }) => title);
  assert.deepEqual(titles.slice(0, 4), [
    'Events per second',
    'Active sessions over time',
    'Session duration',
    'Conversion rate trend',
  ]);
});

test('no two panels lie on each other', () => {
  for (const { title, panels = [] } of DASHBOARDS) {
    const places = panels.map(({ gridPos }) => `${gridPos?.x} ${gridPos?.y}`);
    assert.equal(new Set(places).size, places.length, title);
  }
});
