/** The state store on RocksDB: the contract, and what folders, disks and systems may do to it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { unless } from '../../test/support/prerequisite.ts';
import { openRocksStore } from './rocksdb-store.ts';
import { bytes, commitOf, STATE_UNDER_TEST, stateContract } from './state.contract.ts';

stateContract('RocksDB', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'lull-state-'));
  const open = () => openRocksStore({ directory, ...STATE_UNDER_TEST });
  return { store: await open(), reopen: open, dispose: () => rm(directory, { recursive: true }) };
});

/** Opens a store in another process, and prints the code of what it says, or `opened`. */
const OPENER = `
  import { openRocksStore } from ${JSON.stringify(import.meta.resolve('./rocksdb-store.ts'))};
  const options = { directory: process.argv[1], partitionCount: 3, outputTopics: [] };
  const opening = openRocksStore(options);
  await opening.then(() => console.log('opened'), (error) => console.log(error.code));
  process.exit();
`;
/** Fills the disk that the folder is on, and prints what the store says to calls after that. */
const FILLER = `
  import { openRocksStore } from ${JSON.stringify(import.meta.resolve('./rocksdb-store.ts'))};
  const options = { directory: process.argv[1], partitionCount: 1, outputTopics: [] };
  const store = await openRocksStore(options);
  const value = Buffer.alloc(100_000, 'x');
  const checkpoint = { logId: 'log', nextOffset: 0, clockMs: 0 };
  const commit = (number) => store.commit([{
    partition: 0, writes: [{ key: Buffer.from(String(number)), value }],
    deadlines: [], outputs: [], checkpoint: { ...checkpoint, nextOffset: number },
  }]);
  const code = (promise) => promise.then(() => 'done', (error) => error.code);
  let number = 0;
  while (await code(commit(++number)) === 'done');
  console.log(await code(commit(number)), await code(store.sync()), await code(store.commit([])));
  await store.close();
`;

function run(command: string, args: readonly string[], env: Record<string, string> = {}) {
  const result = spawnSync(command, args, {
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', ...env },
  });
  return `${result.stdout}${result.stderr}`.trim();
}

describe('RocksDB in a folder', () => {
  let parent: string;
  const settings = { partitionCount: 3, outputTopics: ['sessions'] };
  before(async () => {
    parent = await mkdtemp(join(tmpdir(), 'lull-state-'));
  });
  after(() => rm(parent, { recursive: true }));

  it('has one user at a time', async () => {
    const directory = join(parent, 'locked');
    const store = await openRocksStore({ directory, ...settings });
    const node = [process.execPath, ['--input-type=module', '-e', OPENER, directory]] as const;
    assert.equal(run(...node), 'data_locked');
    const again = openRocksStore({ directory, ...settings });
    await assert.rejects(again, { code: 'data_locked', message: new RegExp(directory) });
    await store.close();
    assert.equal(run(...node), 'opened');
  });

  it('is made with its parents, and refused where it can not be', async (t) => {
    const directory = join(parent, 'some', 'where', 'else');
    await (await openRocksStore({ directory, ...settings })).close();
    await writeFile(join(parent, 'file'), '');
    const below = openRocksStore({ directory: join(parent, 'file', 'state'), ...settings });
    await assert.rejects(below, { code: 'data_unwritable' });
    const closed = join(parent, 'closed');
    await mkdir(closed);
    await chmod(closed, 0o555);
    if (process.getuid?.() === 0) return t.diagnostic('root may write everywhere: half skipped');
    const refused = openRocksStore({ directory: closed, ...settings });
    await assert.rejects(refused, { code: 'data_unwritable' });
  });

  it('keeps the number of partitions it was made with; topics may be added', async () => {
    const directory = join(parent, 'settings');
    let store = await openRocksStore({ directory, ...settings });
    const logId = store.topic('sessions').logId;
    await store.close();
    const fewer = openRocksStore({ directory, ...settings, partitionCount: 2 });
    await assert.rejects(fewer, { code: 'data_mismatch', message: /has 3 partitions, not 2/ });
    const outputTopics = ['late-events', 'sessions'];
    store = await openRocksStore({ directory, ...settings, outputTopics });
    const outputs = outputTopics.map((topic) => ({ topic, key: topic, value: bytes(topic) }));
    await store.commit([commitOf(0, { outputs })]);
    await store.close();
    store = await openRocksStore({ directory, ...settings });
    await store.commit([commitOf(0, { outputs: outputs.slice(1) })]);
    await store.close();
    store = await openRocksStore({ directory, ...settings, outputTopics });
    assert.equal(store.topic('sessions').logId, logId);
    assert.equal(store.topic('sessions').endOffset(0), 2);
    assert.equal(store.topic('late-events').endOffset(0), 1);
    assert.equal((await store.topic('late-events').read(0, 0, 10))[0]!.key, 'late-events');
    await store.close();
  });

  it('says that its files are damaged', async () => {
    const directory = join(parent, 'damaged');
    await (await openRocksStore({ directory, ...settings })).close();
    const [manifest] = (await readdir(directory)).filter((name) => name.startsWith('MANIFEST'));
    await writeFile(join(directory, manifest!), 'not a manifest');
    await assert.rejects(openRocksStore({ directory, ...settings }), { code: 'log_corrupt' });
  });

  it('keeps its diagnostics few', async () => {
    const directory = join(parent, 'diagnostics');
    for (let run = 0; run < 4; run++) {
      await (await openRocksStore({ directory, ...settings })).close();
    }
    const logs = (await readdir(directory)).filter((name) => name.startsWith('LOG'));
    assert.ok(logs.length <= 2, logs.join());
  });

  it('says that the disk is full, and writes no more until it is opened again', (t) => {
    const mount = 'mount -t tmpfs -o size=20m none "$1" && shift && exec "$@"';
    const unshare = ['unshare', ['-rm', 'sh', '-c', mount, 'sh', parent]] as const;
    const mounts = run(unshare[0], [...unshare[1], 'echo', 'mounted']) === 'mounted';
    const reason = unless(mounts, 'needs a mount of its own (unshare -rm)');
    if (reason) return t.skip(reason);
    const filler = [process.execPath, '--input-type=module', '-e', FILLER, join(parent, 'full')];
    assert.equal(run(unshare[0], [...unshare[1], ...filler]), 'disk_full disk_full disk_full');
  });

  it('says which library is missing', async (t) => {
    if (process.platform !== 'linux') return t.skip('libatomic is a matter of Linux');
    const libraries = join(parent, 'libraries');
    await mkdir(libraries);
    await writeFile(join(libraries, 'libatomic.so.1'), 'not a library');
    const args = ['--input-type=module', '-e', OPENER, join(parent, 'none')];
    assert.equal(run(process.execPath, args, { LD_LIBRARY_PATH: libraries }), 'library_missing');
  });
});
