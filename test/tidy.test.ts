/** The design's rules, enforced: types, lint, format, and what may import what. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

test('types hold in the whole project', () => run('tsc', '-p', 'tsconfig.json'));
test('the core knows neither Node nor the web', () => run('tsc', '-p', 'src/core/tsconfig.json'));
test('lint and format', () => run('biome', 'check', '--error-on-warnings', '--max-diagnostics=30'));

function run(tool: string, ...parameters: string[]): void {
  const result = spawnSync(`node_modules/.bin/${tool}`, parameters, { encoding: 'utf8' });
  assert.equal(result.status, 0, `${tool} says:\n${result.stdout}${result.stderr}`);
}
