/** Makes a fresh clone ready to run: dependencies, Node 24 among them, and the dashboard. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

if (Number(process.versions.node.split('.')[0]) < 20) {
  stop(`Lull needs Node.js 20 or newer to set itself up; this is ${process.version}`);
}
if (!installed()) install();
checkNativeLibraries();
buildDashboard();

/** Whether node_modules holds what the lock file asks for (optional packages aside). */
function installed() {
  const wanted = packagesOf('package-lock.json');
  const present = packagesOf('node_modules/.package-lock.json');
  return Object.entries(wanted).every(
    ([path, { version, optional }]) =>
      path === '' || optional || present[path]?.version === version,
  );
}

function packagesOf(lockFile) {
  try {
    return JSON.parse(readFileSync(`${root}/${lockFile}`, 'utf8')).packages;
  } catch {
    return {};
  }
}

function install() {
  console.error('Installing dependencies (first run, about a minute)…');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const options = { cwd: root, encoding: 'utf8', shell: npm.endsWith('.cmd') };
  // Of its own level, since `npm run -s` would make it fail without a word.
  const flags = ['--no-audit', '--no-fund', '--loglevel=error'];
  const result = spawnSync(npm, ['ci', ...flags], options);
  if (result.status === 0) return;
  console.error(`${result.stdout ?? ''}${result.stderr ?? ''}`);
  stop(`npm ci failed (${result.error?.message ?? `status ${result.status}`}); see above`);
}

/** The state store is a native module: better one line now than a stack trace later. */
function checkNativeLibraries() {
  const node = `${root}/node_modules/.bin/node`;
  const result = spawnSync(node, ['-e', "require('rocksdb-native')"], {
    cwd: root,
    encoding: 'utf8',
  });
  if (result.status === 0) return;
  const reason = result.error?.message ?? result.stderr;
  if (reason.includes('libatomic')) {
    stop('libatomic1 is missing, which the state store needs: apt-get install libatomic1');
  }
  stop(`the state store can't be loaded on this machine:\n${reason}`);
}

function buildDashboard() {
  const node = `${root}/node_modules/.bin/node`;
  const result = spawnSync(node, [`${root}/scripts/dashboard.js`], { cwd: root, encoding: 'utf8' });
  if (result.status !== 0) stop(`the dashboard can't be built:\n${result.stdout}${result.stderr}`);
}

function stop(reason) {
  console.error(reason);
  process.exit(1);
}
