/** The package as its users get it: packed, installed alone, run, imported, type-checked. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

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

  const bound = { timeout: 120_000 };
  test('starts the whole system, which takes an event and stops', bound, async ({ signal }) => {
    const flags = ['start', '--port', '0', '--no-simulate', '--data', join(folder, 'data')];
    const lull = spawn(join(folder, 'node_modules/.bin/lull'), flags, { cwd: folder });
    const ended = once(lull, 'exit');
    let errors = '';
    lull.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    try {
      const url = await serving(lull.stdout, signal);
      assert.equal((await fetch(`${url}/ready`)).status, 200);
      assert.equal((await fetch(`${url}/`)).status, 200, 'the dashboard is in the package');
      const event = { userId: 'ada', eventType: 'PAGE_VIEW', timestamp: Date.now() };
      const sent = await fetch(`${url}/api/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(event),
      });
      assert.equal(sent.status, 202);
      const { position } = (await sent.json()) as { position: string };
      const headers = { 'lull-after': position };
      const found = await fetch(`${url}/api/sessions/active/ada`, { headers });
      assert.equal(found.status, 200);
    } finally {
      lull.kill('SIGTERM');
    }
    assert.deepEqual(await ended, [0, null]);
    assert.match(errors, /^Ready; the data takes [\d.]+ MB\n$/);
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
    const expected = ['LICENSE', 'README.md', 'dashboard', 'dist', 'package.json'];
    assert.deepEqual(
      names.filter((name) => name !== 'node_modules'),
      expected,
    );
    const page = readdirSync(join(folder, 'node_modules', 'lull', 'dashboard'));
    assert.deepEqual(page, ['dist'], 'the page as it is served, not its sources');
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

/** The address, once the screen has told it and the system is ready. */
async function serving(output: Readable, signal: AbortSignal): Promise<string> {
  let text = '';
  for await (const chunk of output.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    text += chunk;
    const [, url] = /^Lull is running: (\S+)$/m.exec(text) ?? [];
    if (url === undefined) continue;
    while ((await fetch(`${url}/ready`, { signal })).status !== 200) await sleep(100);
    return url;
  }
  throw new Error(`it ended before it served: ${text}`);
}
