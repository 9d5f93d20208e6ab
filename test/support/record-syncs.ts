/**
 * Loaded before a program (`--import 'file:///…/record-syncs.ts?journal=FILE'`), it writes down
 * which files and folders the program has synced, and how far: see power-loss.ts.
 */
import { appendFileSync, fstatSync, readdirSync, readlinkSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { identity, type SyncRecord } from './power-loss.ts';

const journal = new URL(import.meta.url).searchParams.get('journal');
if (journal === null) throw new Error('record-syncs.ts needs ?journal=FILE');

const sample = await open(import.meta.filename);
const prototype: FileHandle = Object.getPrototypeOf(sample);
await sample.close();

for (const name of ['sync', 'datasync'] as const) {
  const original = prototype[name];
  prototype[name] = async function (this: FileHandle) {
    // What is written while the call runs may be synced or not; count on nothing of it.
    const record = describe(this.fd);
    await original.call(this);
    // The journal outlives a kill, as all that is written does.
    appendFileSync(journal, `${JSON.stringify(record)}\n`);
  };
}

function describe(fd: number): SyncRecord {
  const entry = fstatSync(fd, { bigint: true });
  if (!entry.isDirectory()) return { id: identity(entry), size: Number(entry.size) };
  return { id: identity(entry), names: readdirSync(readlinkSync(`/proc/self/fd/${fd}`)) };
}
