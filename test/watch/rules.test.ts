/** What Prometheus is given: it can read it, each alert fires when it should, and has a runbook. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { promtool, unlessPrometheus } from '../support/prometheus.ts';

const skip = unlessPrometheus();
const folder = 'deploy/prometheus';
const alertRules = readFileSync(`${folder}/rules/alerts.yml`, 'utf8');
const alerts = [...alertRules.matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name);

test('Prometheus can read its configuration and rules', { skip }, () => {
  for (const name of ['prometheus.yml', 'embedded.yml']) {
    const { ok, said } = promtool(['check', 'config', `${folder}/${name}`]);
    assert.ok(ok, said);
  }
});

test('each alert fires on its condition, and not near it', { skip }, () => {
  const { ok, said } = promtool(['test', 'rules', `${folder}/alerts.test.yml`]);
  assert.ok(ok, said);
});

test('an alert that fires too soon, or never, would be noticed', { skip }, (t) => {
  const copy = mkdtempSync(join(tmpdir(), 'lull-rules-'));
  t.after(() => rmSync(copy, { recursive: true }));
  for (const [from, to] of [
    ['lull_part_ok{part="redis"} == 0', 'lull_part_ok{part="redis"} >= 0'],
    ['lull_part_ok{part="redis"} == 0', 'lull_part_ok{part="redis"} < 0'],
  ] as const) {
    assert.ok(alertRules.includes(from));
    writeFileSync(join(copy, 'alerts.yml'), alertRules.replace(from, to));
    const tests = readFileSync(`${folder}/alerts.test.yml`, 'utf8')
      .replace('rules/recording.yml', resolve(`${folder}/rules/recording.yml`))
      .replace('rules/alerts.yml', 'alerts.yml');
    writeFileSync(join(copy, 'alerts.test.yml'), tests);
    const { ok } = promtool(['test', 'rules', join(copy, 'alerts.test.yml')]);
    assert.equal(ok, false, to);
  }
});

test('each alert is tried both ways, and names a runbook that is there', () => {
  assert.ok(alerts.length > 0);
  const tests = readFileSync(`${folder}/alerts.test.yml`, 'utf8');
  const runbook = readFileSync('docs/operations.md', 'utf8');
  for (const name of alerts) {
    assert.match(
      tests,
      new RegExp(`\\{ alertname: ${name}, eval_time: \\w+, exp_alerts: \\[\\] \\}`),
    );
    assert.match(tests, new RegExp(`- alertname: ${name}\\n +eval_time: \\w+\\n +exp_alerts:\\n`));
    const [, rule = ''] = alertRules.split(`- alert: ${name}\n`);
    const [, anchor] = /runbook_url: docs\/operations\.md#(\w+)/.exec(rule) ?? [];
    assert.equal(anchor, name.toLowerCase());
    assert.match(runbook, new RegExp(`^### ${name}$`, 'm'));
  }
  const sections = [...runbook.matchAll(/^### (Lull\w+)$/gm)].map(([, name]) => name);
  assert.deepEqual(sections.toSorted(), alerts.toSorted(), 'a runbook for each alert, no other');
});
