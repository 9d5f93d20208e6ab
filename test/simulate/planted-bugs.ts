/** Bugs for the simulation to find: copies of the code with a line changed, or a lying store. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { PartitionCommit, StateStore } from '../../src/state/state.ts';
import { FaultyStore } from './faulty-parts.ts';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

export interface PlantedBug {
  readonly name: string;
  /** A text that is in the file exactly once, and what stands there instead. */
  readonly patch?: { readonly file: string; readonly from: string; readonly to: string };
  readonly wrapStore?: (store: StateStore) => StateStore;
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'exactly the gap before a session does not join: > for >=',
    patch: {
      file: 'core/session.ts',
      from: 'time >= session.start - gapMs',
      to: 'time > session.start - gapMs',
    },
  },
  {
    name: 'exactly the gap after a session does not join: < for <=',
    patch: {
      file: 'core/session.ts',
      from: 'time <= session.end + gapAfter',
      to: 'time < session.end + gapAfter',
    },
  },
  {
    name: 'closed one millisecond too early: >= for >',
    patch: {
      file: 'core/session.ts',
      from: 'clockMs > base + tiersMs[passed]!',
      to: 'clockMs >= base + tiersMs[passed]!',
    },
  },
  { name: 'clock not stored', wrapStore: (store) => new ForgetsClock(store) },
  { name: 'position stored before state', wrapStore: (store) => new PositionFirst(store) },
  { name: 'state stored before position', wrapStore: (store) => new PositionLast(store) },
  {
    name: 'dedupe lost on restart',
    patch: {
      file: 'core/record.ts',
      from: 'const length = reader.varint();',
      to: `const length = reader.varint();
        bytes = bytes.slice();
        for (let at = 0; at < length; ) {
          const start = reader.skip(0) + at;
          bytes[start + 8]! ^= 1;
          at += bytes[start]! + 256 * bytes[start + 1]!;
        }`,
    },
  },
  {
    name: 'revision not raised when a session is sent again',
    patch: {
      file: 'core/partition.ts',
      from: 'session.revision++;',
      to: 'if (session.revision === 0) session.revision++;',
    },
  },
  {
    name: 'revision of a survivor not raised above that of the absorbed',
    patch: {
      file: 'core/session.ts',
      from: 'Math.max(survivor.revision, absorbed.revision)',
      to: 'survivor.revision',
    },
  },
  { name: 'merge without lineage', wrapStore: (store) => new DropsLineage(store) },
  {
    name: 'a session that lives again is not sent',
    patch: {
      file: 'core/partition.ts',
      from: "this.#send(user, session, 'active', null);",
      to: '',
    },
  },
  {
    name: 'what is late for the first tier is dropped',
    patch: {
      file: 'core/partition.ts',
      from: 'if (tiersPassed === definition.tiersMs.length) {',
      to: 'if (tiersPassed >= 1) {',
    },
  },
  {
    name: 'stored deadlines of users that were let go are not looked at',
    patch: {
      file: 'core/loader.ts',
      from: 'this.#absentThrough = Math.max(this.#absentThrough, user.storedMinute ?? 0);',
      to: '',
    },
  },
  {
    name: 'stored deadlines are not looked at after a restart',
    patch: {
      file: 'services/session-processor/partition-task.ts',
      from: 'new Loader(this.partition, checkpoint !== null)',
      to: 'new Loader(this.partition)',
    },
  },
];

/** Runs `use` on a copy of `src/` with the patch, as long as it takes. */
export async function withPatch<T>(
  patch: NonNullable<PlantedBug['patch']>,
  use: (source: URL) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'lull-planted-'));
  try {
    for (const name of ['src', 'package.json']) {
      cpSync(join(PROJECT, name), join(folder, name), { recursive: true });
    }
    symlinkSync(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
    const file = join(folder, 'src', patch.file);
    const parts = readFileSync(file, 'utf8').split(patch.from);
    if (parts.length !== 2) throw new Error(`not once in ${patch.file}: ${patch.from}`);
    writeFileSync(file, parts.join(patch.to));
    return await use(pathToFileURL(join(folder, 'src/')));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Stands in front of a store without being able to crash by itself. */
const ALWAYS_ALIVE = { pass: async () => {} } as unknown as ConstructorParameters<
  typeof FaultyStore
>[1];

/** Passes everything on: what lies derives from it. */
export class LyingStore extends FaultyStore {
  constructor(inner: StateStore) {
    super(inner, ALWAYS_ALIVE);
  }
}

class ForgetsClock extends LyingStore {
  override commit(commits: readonly PartitionCommit[]): Promise<number[]> {
    const clockMs = Number.NEGATIVE_INFINITY;
    return this.inner.commit(
      commits.map((commit) => ({ ...commit, checkpoint: { ...commit.checkpoint, clockMs } })),
    );
  }
}

const positionOf = (commit: PartitionCommit): PartitionCommit => ({
  ...commit,
  writes: [],
  deadlines: [],
  outputs: [],
});

class PositionFirst extends LyingStore {
  override async commit(commits: readonly PartitionCommit[]): Promise<number[]> {
    await this.inner.commit(commits.map(positionOf));
    return this.inner.commit(commits);
  }
}

class PositionLast extends LyingStore {
  override async commit(commits: readonly PartitionCommit[]): Promise<number[]> {
    const before = await Promise.all(commits.map(({ partition }) => this.inner.open(partition)));
    await this.inner.commit(
      commits.map((commit, index) => {
        const { logId } = commit.checkpoint;
        const start = { logId, nextOffset: 0, clockMs: Number.NEGATIVE_INFINITY };
        return { ...commit, checkpoint: before[index] ?? start };
      }),
    );
    return this.inner.commit(commits.map(positionOf));
  }
}

class DropsLineage extends LyingStore {
  override commit(commits: readonly PartitionCommit[]): Promise<number[]> {
    const isMerged = (value: Uint8Array) =>
      Buffer.from(value).toString().includes('"state":"merged"');
    return this.inner.commit(
      commits.map((commit) => ({
        ...commit,
        outputs: commit.outputs.filter(({ value }) => !isMerged(value)),
      })),
    );
  }
}
