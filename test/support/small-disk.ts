/** A disk of a few hundred megabytes in memory, which can be filled up and emptied again. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SmallDisk {
  readonly path: string;
  /** Until nothing more fits. */
  fillUp(): void;
  /** Takes away what `fillUp` put there. */
  makeRoom(): void;
  remove(): void;
}

/** For a test's `skip`: only root may mount, and not everywhere. */
export function unlessMountable(): string | false {
  if (process.getuid?.() !== 0) return 'needs root, to mount a small disk';
  try {
    mountDisk(1).remove();
    return false;
  } catch (error) {
    return String(error);
  }
}

export function mountDisk(megabytes: number): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), 'lull-disk-'));
  const filler = join(path, 'filler');
  run('mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path);
  return {
    path,
    fillUp() {
      const file = openSync(filler, 'a');
      const piece = Buffer.alloc(1 << 20);
      // A last piece that doesn't fit whole is tried in smaller ones, down to a byte.
      for (let bytes = piece.length; bytes >= 1; ) {
        try {
          if (writeSync(file, piece, 0, bytes) < bytes) bytes >>= 1;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          bytes >>= 1;
        }
      }
      closeSync(file);
    },
    makeRoom: () => rmSync(filler, { force: true }),
    remove() {
      run('umount', path);
      rmdirSync(path);
    },
  };
}

function run(command: string, ...parameters: string[]): void {
  const { status, stderr, error } = spawnSync(command, parameters, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command}: ${error?.message ?? stderr.trim()}`);
}
