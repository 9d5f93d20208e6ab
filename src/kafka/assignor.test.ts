/** The assignor: what must hold after every assignment, and what must not move between two. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { assign, type Candidate, type Share } from './assignor.ts';

type Plan = ReadonlyMap<string, Share>;

/** A member that has just come, with nothing. */
const fresh = (id: string): Candidate => ({ id, owned: [], generation: -1, copies: new Map() });

/** The members of a plan as they come to the next one: with all they were given. */
function settled(plan: Plan, generation = 1): Candidate[] {
  return [...plan].map(([id, { owned, standby }]) => ({
    id,
    owned,
    generation,
    copies: new Map([...owned, ...standby].map((partition) => [partition, 100])),
  }));
}

function check(plan: Plan, partitionCount: number, standbys: number): void {
  const shares = [...plan.values()];
  const all = shares.flatMap(({ owned }) => owned).sort((a, b) => a - b);
  assert.deepEqual(all, [...Array(partitionCount).keys()], 'each partition has one owner');
  assertLevel(shares.map(({ owned }) => owned.length));
  const copies = Math.min(standbys, shares.length - 1);
  for (let partition = 0; partition < partitionCount; partition++) {
    const holders = shares.filter(({ standby }) => standby.includes(partition));
    assert.equal(holders.length, copies, `copies of ${partition}`);
    for (const { owned } of holders) assert.ok(!owned.includes(partition), 'none on its owner');
  }
  assertLevel(shares.map(({ standby }) => standby.length));
}

function assertLevel(counts: readonly number[]): void {
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, `${counts} are not level`);
}

/** How many partitions have another owner than before, not counting those whose owner is gone. */
function moved(before: Plan, after: Plan): number {
  let count = 0;
  for (const [id, { owned }] of before) {
    const now = after.get(id);
    if (now !== undefined) count += owned.filter((each) => !now.owned.includes(each)).length;
  }
  return count;
}

function planOf(partitionCount: number, standbys: number, ...ids: string[]): Plan {
  return assign(partitionCount, ids.map(fresh), standbys);
}

describe('assignor', () => {
  it('gives a lone member everything, and nothing to stand by for', () => {
    const plan = planOf(3, 2, 'a');
    assert.deepEqual(plan.get('a'), { owned: [0, 1, 2], standby: [] });
    assert.deepEqual(assign(3, [], 1), new Map());
  });

  it('changes nothing when nothing changed', () => {
    const plan = planOf(12, 1, 'a', 'b', 'c', 'd', 'e');
    assert.deepEqual(assign(12, settled(plan), 1), plan);
  });

  it('gives what a member leaves to those that stood by for it', () => {
    const plan = planOf(12, 1, 'a', 'b', 'c');
    const left = plan.get('a')!.owned;
    const rest = settled(plan).filter(({ id }) => id !== 'a');
    const next = assign(12, rest, 1);
    check(next, 12, 1);
    assert.equal(moved(plan, next), 0);
    for (const partition of left) {
      const owner = [...next].find(([, { owned }]) => owned.includes(partition))![0];
      assert.ok(plan.get(owner)!.standby.includes(partition), `${partition} went to ${owner}`);
    }
  });

  it('prefers the newest copy', () => {
    const old = { ...fresh('a'), copies: new Map([[0, 10]]) };
    const newest = { ...fresh('b'), copies: new Map([[0, 11]]) };
    assert.deepEqual(assign(1, [old, newest, fresh('c')], 1).get('b')!.owned, [0]);
    assert.deepEqual(assign(1, [old, newest, fresh('c')], 1).get('a')!.standby, [0]);
  });

  it('moves no more than a member that came needs, best what it has copies of', () => {
    const plan = planOf(12, 1, 'a', 'b', 'c');
    const back = { ...fresh('d'), copies: new Map([2, 3, 7].map((partition) => [partition, 90])) };
    const next = assign(12, [...settled(plan), back], 1);
    check(next, 12, 1);
    assert.equal(moved(plan, next), 3);
    assert.deepEqual(next.get('d')!.owned, [2, 3, 7]);
  });

  it('believes the newer of two that claim a partition', () => {
    const stale = { ...fresh('a'), owned: [0, 1], generation: 4 };
    const owner = { ...fresh('b'), owned: [0, 1], generation: 5 };
    const plan = assign(3, [stale, owner], 0);
    assert.deepEqual(plan.get('b')!.owned, [0, 1]);
    assert.deepEqual(plan.get('a')!.owned, [2]);
  });

  it('holds all of it whoever comes and goes', () => {
    const step = fc.record({ leave: fc.nat(3), join: fc.nat(3), standbys: fc.nat(2) });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.array(step, { maxLength: 8 }),
        (count, steps) => {
          let next = 0;
          let plan = planOf(count, 1, 'm0');
          for (const [generation, { leave, join, standbys }] of steps.entries()) {
            const stay = settled(plan, generation).slice(leave);
            const come = Array.from({ length: join + (stay.length + join === 0 ? 1 : 0) }, () =>
              fresh(`m${++next}`),
            );
            const after = assign(count, [...stay, ...come], standbys);
            check(after, count, standbys);
            // The fewest that must move: what each has above its part.
            const floor = Math.floor(count / after.size);
            const had = stay.map(({ owned }) => owned.length);
            const over = had.filter((size) => size > floor).length;
            const least = had.reduce((sum, size) => sum + Math.max(0, size - floor), 0);
            assert.equal(moved(plan, after), least - Math.min(over, count % after.size));
            plan = after;
          }
        },
      ),
    );
  });

  it('does not take what members say on trust', () => {
    const candidate = fc.record({
      id: fc.string({ maxLength: 3 }),
      owned: fc.array(fc.nat(20)),
      generation: fc.integer({ min: -1, max: 3 }),
      copies: fc.array(fc.tuple(fc.nat(20), fc.nat(9))).map((pairs) => new Map(pairs)),
    });
    const members = fc.uniqueArray(candidate, {
      minLength: 1,
      maxLength: 6,
      selector: (m) => m.id,
    });
    fc.assert(
      fc.property(fc.nat(16), members, fc.nat(2), (count, some, standbys) => {
        check(assign(count, some, standbys), count, standbys);
      }),
    );
  });

  it('is done with 512 partitions and ten members', () => {
    const ids = Array.from({ length: 10 }, (_, n) => `m${n}`);
    const plan = planOf(512, 2, ...ids);
    check(plan, 512, 2);
    check(assign(512, settled(plan).slice(3), 2), 512, 2);
  });
});
