/** The state store on RocksDB: the contract, and what a folder, a disk and a system may do to it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRocksStore } from './rocksdb-store.ts';
import { STATE_UNDER_TEST, stateContract } from './state.contract.ts';

stateContract('RocksDB', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'lull-state-'));
  const open = () => openRocksStore({ directory, ...STATE_UNDER_TEST });
  return { store: await open(), reopen: open, dispose: () => rm(directory, { recursive: true }) };
});
