/** The simulation finds what it is there to find: each planted bug, within so many seeds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LyingStore, PLANTED_BUGS, type PlantedBug, withPatch } from './planted-bugs.ts';
import { simulate } from './simulation.ts';
import { loadSystem, type SystemCode } from './system-code.ts';

/** Every bug here shows within ten or so. */
const SEEDS = 40;
const NO_PATCH = {
  file: 'core/session.ts',
  from: 'class Session extends',
  to: 'class Session extends',
};

test('without a bug nothing is caught, whether by the copy or by the store in between', async () => {
  const found = await withPatch(NO_PATCH, async (source) =>
    firstCaught(
      { name: 'none', wrapStore: (store) => new LyingStore(store) },
      await loadSystem(source),
    ),
  );
  assert.equal(found, null);
});

for (const bug of PLANTED_BUGS) {
  test(`caught: ${bug.name}`, async (context) => {
    const found = bug.patch
      ? await withPatch(bug.patch, async (source) => firstCaught(bug, await loadSystem(source)))
      : await firstCaught(bug, await loadSystem());
    assert.ok(found !== null, `not caught in ${SEEDS} seeds`);
    context.diagnostic(`by seed ${found.seed}: ${found.message}`);
  });
}

async function firstCaught({ wrapStore }: PlantedBug, code: SystemCode) {
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      await simulate({ seed, code, ...(wrapStore === undefined ? {} : { wrapStore }) });
    } catch (error) {
      // A bug that only makes the code fall over would be found without a model.
      if (!(error instanceof assert.AssertionError)) throw error;
      return { seed, message: String((error as Error).message).split('\n')[0] };
    }
  }
  return null;
}
