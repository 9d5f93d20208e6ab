/** Builds the dashboard into dashboard/dist, when what is there was made of other sources. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'dashboard');
const out = join(folder, 'dist');
const stampFile = join(out, 'stamp.txt');

const stamp = stampOfSources();
if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== stamp) await build();

async function build() {
  const { build: viteBuild } = await import('vite');
  const fresh = `${out}-${process.pid}`;
  await viteBuild({
    configFile: false,
    root: folder,
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir: fresh,
      target: 'es2023',
      // Everything is a file of its own: the page's policy lets nothing be inline.
      assetsInlineLimit: 0,
      modulePreload: false,
    },
  });
  for (const name of readdirSync(fresh, { recursive: true, encoding: 'utf8' })) {
    if (!/\.(js|css|svg|html)$/.test(name)) continue;
    const path = join(fresh, name);
    writeFileSync(`${path}.br`, brotliCompressSync(readFileSync(path)));
  }
  writeFileSync(join(fresh, 'stamp.txt'), stamp);
  rmSync(out, { recursive: true, force: true });
  renameSync(fresh, out);
}

/** Of all that the result depends on: the sources, the locked packages, this script. */
function stampOfSources() {
  const hash = createHash('sha256');
  const sources = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.startsWith(`${folder}/dist`) && !path.includes('.test.'));
  for (const path of [...sources, join(root, 'package-lock.json'), import.meta.filename].sort()) {
    hash.update(path.slice(root.length)).update('\0').update(readFileSync(path)).update('\0');
  }
  return hash.digest('hex');
}
