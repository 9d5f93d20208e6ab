/** Commits that follow from their number, as a processor's would: users, deadlines, an output. */
import assert from 'node:assert/strict';
import { RecordWriter } from '../../src/core/encoding.ts';
import { USER_PREFIX, userIdOf, userKey } from '../../src/core/keys.ts';
import { encodeUser } from '../../src/core/record.ts';
import { User } from '../../src/core/user.ts';
import { readAll } from '../../src/log/log.contract.ts';
import type { DeadlineMove, PartitionCommit, StateStore } from '../../src/state/state.ts';

const USERS = 40;
const USERS_A_COMMIT = 12;

/** Deadline and record of each user that is there. */
type Users = Map<string, { readonly minute: number | null; readonly record: Buffer }>;

/** Commit `number`, from 1 on; its output is its number. */
export function userCommit(partition: number, number: number): PartitionCommit {
  const before = usersAfter(number - 1);
  const after = usersAfter(number);
  const writes: { key: Uint8Array; value: Buffer | null }[] = [];
  const deadlines: DeadlineMove[] = [];
  for (const userId of usersOf(number)) {
    const fromMinute = before.get(userId)?.minute ?? null;
    const toMinute = after.get(userId)?.minute ?? null;
    writes.push({ key: userKey(userId), value: after.get(userId)?.record ?? null });
    deadlines.push({ userId, fromMinute, toMinute });
  }
  const outputs = [{ topic: 'sessions', key: 'k', value: Buffer.from(`${number}`) }];
  const checkpoint = { logId: 'log', nextOffset: number, clockMs: number };
  return { partition, writes, deadlines, outputs, checkpoint };
}

/** Everything that a store must have of a partition after commit `number`, and nothing else. */
export async function checkUsers(
  store: StateStore,
  partition: number,
  number: number,
): Promise<void> {
  const wanted = usersAfter(number);
  const found = new Map<string, string>();
  for await (const { key, value } of store.scan(partition, USER_PREFIX)) {
    found.set(userIdOf(key), Buffer.from(value).toString('hex'));
  }
  const records = [...wanted].map(([userId, { record }]) => [userId, record.toString('hex')]);
  assert.deepEqual(new Map([...found].sort()), new Map((records as [string, string][]).sort()));
  const due = [...wanted].flatMap(([userId, { minute }]) => {
    return minute === null ? [] : [{ minute, userId }];
  });
  due.sort((one, other) => one.minute - other.minute || (one.userId < other.userId ? -1 : 1));
  assert.deepEqual(await store.dueUsers(partition, null, 1e9, 1e6), due);
}

/** The outputs of commits 1 to `number`, each once; call it when readers have everything. */
export async function checkOutputs(
  store: StateStore,
  partition: number,
  number: number,
): Promise<void> {
  const records = await readAll(store.topic('sessions'), partition);
  assert.deepEqual(
    records.map(({ value }) => Number(Buffer.from(value).toString())),
    Array.from({ length: number }, (_, index) => index + 1),
  );
}

function usersAfter(number: number): Users {
  const users: Users = new Map();
  for (let each = 1; each <= number; each++) {
    for (const [index, userId] of usersOf(each).entries()) {
      if ((each + index) % 7 === 0) users.delete(userId);
      else {
        const minute = (each + index) % 5 === 0 ? null : 1000 + each;
        users.set(userId, { minute, record: recordOf(userId, minute, each) });
      }
    }
  }
  return users;
}

function usersOf(number: number): string[] {
  return Array.from({ length: USERS_A_COMMIT }, (_, index) => {
    return `user-${(number * 5 + index * 3) % USERS}`;
  });
}

/** What a user without sessions is stored as, with the commit's number behind it. */
function recordOf(userId: string, minute: number | null, number: number): Buffer {
  const user = new User(userId, true);
  user.storedMinute = minute;
  return Buffer.concat([encodeUser(new RecordWriter(), user), Buffer.from(` of ${number}`)]);
}
