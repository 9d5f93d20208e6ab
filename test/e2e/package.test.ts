/** The package as its users get it: packed, installed alone, run, imported, type-checked. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, suite, test } from 'node:test';

const EXAMPLES = readdirSync('examples').filter((name) => name.endsWith('.ts'));

suite('the installed package', () => {
  let folder = '';

  function run(program: string, ...parameters: string[]): string {
    return execFileSync(program, parameters, { cwd: folder, encoding: 'utf8' });
  }

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'lull-package-'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    cpSync('examples', folder, { recursive: true });
    const packing = ['pack', '--silent', `--pack-destination=${folder}`];
    const file = execFileSync('npm', packing, { encoding: 'utf8' }).trim().split('\n').at(-1)!;
    const quiet = ['--silent', '--prefer-offline', '--no-audit', '--no-fund'];
    run('npm', 'install', ...quiet, `./${file}`);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('gives the command', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    assert.equal(run('node_modules/.bin/lull', '--version'), `${version}\n`);
    assert.match(run('node_modules/.bin/lull', 'config'), /^--gap +30m +default$/m);
  });

  for (const name of EXAMPLES) {
    test(`runs examples/${name}, which prints what it says`, () => {
      const [, said = ''] = readFileSync(join('examples', name), 'utf8').split('// Prints:\n');
      assert.notEqual(said, '');
      assert.equal(run(process.execPath, name), said.replaceAll(/^\/\/ ?/gm, ''));
    });
  }

  test('has types that hold without our own settings', () => {
    const tsc = resolve('node_modules/typescript/bin/tsc');
    const types = ['--types', 'node', '--typeRoots', resolve('node_modules/@types')];
    const strict = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024'];
    run(process.execPath, tsc, ...strict, ...types, ...EXAMPLES);
    writeFileSync(join(folder, 'wrong.ts'), "import { sessionize } from 'lull';\nsessionize(1);\n");
    assert.throws(() => run(process.execPath, tsc, ...strict, ...types, 'wrong.ts'));
  });

  test('holds what it runs on and nothing else', () => {
    const names = readdirSync(join(folder, 'node_modules', 'lull')).sort();
    const expected = ['LICENSE', 'README.md', 'dist', 'package.json'];
    assert.deepEqual(
      names.filter((name) => name !== 'node_modules'),
      expected,
    );
    const written = readdirSync('src', { recursive: true, encoding: 'utf8' });
    const assets = written.filter((path) => /\.\w+$/.test(path) && !/\.ts$|tsconfig/.test(path));
    const dist = join(folder, 'node_modules', 'lull', 'dist');
    const built = readdirSync(dist, { recursive: true, encoding: 'utf8' });
    assert.deepEqual(
      assets.filter((path) => !built.includes(path)),
      [],
    );
    assert.deepEqual(
      built.filter((path) => /\.test\.|\.contract\./.test(path)),
      [],
    );
  });
});
