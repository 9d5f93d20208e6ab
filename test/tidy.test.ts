/** The design's rules, enforced: types, lint, format, imports; each shown to catch a breach. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { RULES } from './support/tidy-rules.ts';

test('types hold in the whole project', () => passes('tsc', '-p', 'tsconfig.json'));
test('types hold in the core without Node', () => passes('tsc', '-p', 'src/core/tsconfig.json'));
test('types hold in the dashboard', () => passes('tsc', '-p', 'dashboard/tsconfig.json'));
test('lint and format', () => passes('biome', 'check', '--error-on-warnings'));

const listed = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
});
const files = listed.stdout.split('\n').filter((path) => path !== '');

for (const rule of RULES) {
  test(`rule: ${rule.name}`, () => {
    const covered = files.filter(rule.covers);
    assert.ok(covered.length > 0, 'the rule covers no file');
    const breaches = covered.flatMap((path) =>
      rule.breaches(path, readFileSync(path, 'utf8')).map((breach) => `${path}: ${breach}`),
    );
    assert.deepEqual(breaches, []);
  });
}

const SENTENCE = '/** One sentence. */\n';

/** One breach of each rule at least, and something near it that is none. */
const PLANTS: readonly [rule: string, path: string, breach: string, harmless: string][] = [
  ['imports follow', 'src/core/a.ts', "import 'node:fs';", "import './b.ts';"],
  [
    'imports follow',
    'src/core/a.ts',
    "import type { A } from '../log/log.ts';",
    "// from '../log'",
  ],
  [
    'imports follow',
    'src/core/a.ts',
    "await import('../errors.ts');",
    "import a from '../core/b.ts';",
  ],
  ['imports follow', 'src/log/log.ts', "import '@node-rs/crc32';", "import '../core/event.ts';"],
  ['imports follow', 'src/log/a.ts', "import '../state/a.ts';", "import '@node-rs/crc32';"],
  ['imports follow', 'src/state/a.ts', "import 'pg';", "import 'rocksdb-native';"],
  ['imports follow', 'src/log/kafka-a.ts', "import 'pg';", "import '../kafka/a.ts';"],
  ['imports follow', 'src/kafka/a.ts', "import '../core/event.ts';", "import '../core/hash.ts';"],
  ['imports follow', 'src/live/a.ts', "import '../services/api-gateway/a.ts';", "import 'redis';"],
  [
    'imports follow',
    'src/services/api-gateway/a.ts',
    "import '../event-producer/a.ts';",
    "import './b.ts';",
  ],
  [
    'imports follow',
    'src/services/api-gateway/a.ts',
    "import '../../live/a.ts';",
    "import '../../live/live.ts';",
  ],
  ['imports follow', 'src/services/api-gateway/a.ts', "import 'pg';", "import 'fastify';"],
  ['imports follow', 'src/sessionize/a.ts', "import '../log/a.ts';", "import '../core/a.ts';"],
  [
    'imports follow',
    'src/commands/a.ts',
    "export { a } from\n  '../log/a.ts';",
    "import '../modes/a.ts';",
  ],
  ['imports follow', 'src/index.ts', "import './errors.ts';", "import './core/a.ts';"],
  ['imports follow', 'dashboard/src/a.tsx', "import '../../src/errors.ts';", "import 'preact';"],
  ['imports follow', 'src/elsewhere/a.ts', '', SENTENCE],
  ['the core has', 'src/core/a.ts', 'const a = Date.now();', 'const a = new Date(0);'],
  ['the core has', 'src/core/a.ts', 'const a = Math.random();', 'const a = Math.round(1);'],
  ['the core has', 'src/core/a.ts', 'const a = new Date();', '// as new Date() would'],
  ['the core has', 'src/core/a.ts', 'setTimeout(a, 1);', 'settle(a, 1);'],
  ['the core has', 'src/core/a.ts', 'process.exit(1);', 'processed.add(1);'],
  ['the core has', 'src/core/a.ts', 'performance.now();', 'perform();'],
  ['a file begins', 'src/a.ts', 'export const a = 1;', SENTENCE],
  [
    'a file begins',
    'src/a.ts',
    '#!/usr/bin/env node\nconst a = 1;',
    `#!/usr/bin/env node\n${SENTENCE}`,
  ],
  ['a file begins', 'src/history/sql/a.sql', 'SELECT 1;', '-- Counts one.\nSELECT 1;'],
  ['a file is named', 'src/log/utils.ts', '', SENTENCE],
  ['comments keep', 'src/a.ts', `// ${'a'.repeat(98)}`, `// ${'a'.repeat(97)}`],
  ['no work', 'docs/a.md', 'TODO: more', 'To do it'],
  ['no path', 'docs/a.md', 'see `/home/me/lull`', 'see https://example.com/home/me'],
  [
    'no host',
    'package-lock.json',
    '"https://registry.example.org/a.tgz"',
    '"https://github.com/registry"',
  ],
];
for (const [name, path, breach, harmless] of PLANTS) {
  test(`rule "${name}…" tells ${JSON.stringify(breach || path)} from harmless text`, () => {
    const rule = RULES.find((candidate) => candidate.name.startsWith(name))!;
    assert.ok(rule.covers(path));
    assert.notDeepEqual(rule.breaches(path, breach), []);
    const other = breach === '' ? 'src/log/segment.ts' : path;
    assert.deepEqual(rule.breaches(other, harmless), []);
  });
}

test('every rule has a plant', () => {
  const unproved = RULES.filter(({ name }) => !PLANTS.some(([start]) => name.startsWith(start)));
  assert.deepEqual(
    unproved.map(({ name }) => name),
    [],
  );
});

/** What the linter must say about each planted breach; each stands in a file of its own. */
const LINT_PLANTS: Readonly<Record<string, string>> = {
  noDefaultExport: 'export default 1;',
  noProcessEnv: 'export const a = process.env.PORT;',
  noExcessiveLinesPerFile: 'a();\n'.repeat(601),
  noExcessiveLinesPerFunction: `export function a() {\n${'a();\n'.repeat(70)}}`,
  noFloatingPromises: 'async function a() {}\nexport function b() {\n  a();\n}',
  noUnusedVariables: 'const a = 1;',
};
test('the linter reports every planted breach', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lull-tidy-'));
  t.after(() => rmSync(folder, { recursive: true }));
  cpSync('biome.json', join(folder, 'biome.json'));
  mkdirSync(join(folder, 'src'));
  for (const [rule, breach] of Object.entries(LINT_PLANTS)) {
    writeFileSync(join(folder, 'src', `${rule}.ts`), `${breach}\n`);
  }
  const biome = resolve('node_modules/.bin/biome');
  const options = ['lint', '--reporter=github', '--vcs-enabled=false'];
  const { stdout } = spawnSync(biome, options, { cwd: folder, encoding: 'utf8' });
  for (const rule of Object.keys(LINT_PLANTS)) {
    const line = new RegExp(`title=lint/\\w+/${rule},file=\\S*src/${rule}\\.ts`);
    assert.match(stdout, line);
  }
});

function passes(tool: string, ...parameters: string[]): void {
  const result = spawnSync(`node_modules/.bin/${tool}`, parameters, { encoding: 'utf8' });
  assert.equal(result.status, 0, `${tool} says:\n${result.stdout}${result.stderr}`);
}
