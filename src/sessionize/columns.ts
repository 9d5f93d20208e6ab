/** Which column means what: by the flags that name it, else by the names that are usual. */
import { LullError } from '../errors.ts';
import { ROLES, type Role } from './row.ts';

/** The flags' own choice; null where the usual names decide. */
export type NamedColumns = Readonly<Record<'user' | 'time' | 'type' | 'id', string | null>>;

/**
 * Usual names by role, best first, as letters and digits in lower case: `user_id`, `userId` and
 * `User ID` are one. A bare `id` is not among them: it may be the user's, a product's or a row's.
 */
const USUAL_NAMES: Readonly<Record<Role, readonly string[]>> = {
  user: [
    'userid',
    'customerid',
    'visitorid',
    'clientid',
    'memberid',
    'accountid',
    'distinctid',
    'anonymousid',
    'userpseudoid',
    'fullvisitorid',
    'uid',
    'user',
    'customer',
    'visitor',
  ],
  time: [
    'timestamp',
    'eventtime',
    'eventtimestamp',
    'eventdatetime',
    'datetime',
    'time',
    'ts',
    'occurredat',
    'originaltimestamp',
    'createdat',
    'receivedat',
    'date',
  ],
  type: ['eventtype', 'event', 'eventname', 'action', 'actiontype', 'activity', 'type'],
  id: ['eventid', 'messageid', 'insertid', 'eventuuid'],
  page: ['page', 'pagepath', 'pageurl', 'url', 'path', 'pagelocation', 'uri'],
  referrer: ['referrer', 'referer', 'pagereferrer', 'referrerurl'],
  device: ['device', 'devicetype', 'devicecategory', 'platform'],
  utmSource: ['utmsource'],
  utmMedium: ['utmmedium'],
  utmCampaign: ['utmcampaign'],
  amount: ['amount', 'revenue', 'price', 'total'],
  currency: ['currency', 'currencycode'],
};

/** By role, the index of its column; -1 for none. Complains when user or time has none. */
export function assignColumns(
  file: string,
  columns: readonly string[],
  named: NamedColumns,
): number[] {
  const assigned = ROLES.map((role) => {
    const name = role in named ? named[role as keyof NamedColumns] : null;
    return name === null ? -1 : findNamed(file, columns, role, name);
  });
  for (const [index, column] of assigned.entries()) {
    const other = assigned.indexOf(column);
    if (column < 0 || other === index) continue;
    const message = `--${ROLES[other]} and --${ROLES[index]} name the same column`;
    throw new LullError('wrong_usage', message, { hint: `its columns: ${listed(columns)}` });
  }
  const plain = columns.map((column) => column.toLowerCase().replace(/[^a-z0-9]/g, ''));
  for (const [index, role] of ROLES.entries()) {
    if (assigned[index]! >= 0) continue;
    const column = USUAL_NAMES[role]
      .map((name) => plain.indexOf(name))
      .find((found) => found >= 0 && !assigned.includes(found));
    if (column !== undefined) assigned[index] = column;
  }
  for (const role of ['user', 'time'] as const) {
    if (assigned[ROLES.indexOf(role)]! < 0) throw noColumn(file, columns, role);
  }
  return assigned;
}

function findNamed(file: string, columns: readonly string[], role: Role, name: string): number {
  const exact = columns.indexOf(name);
  if (exact >= 0) return exact;
  const close = columns.findIndex((column) => column.toLowerCase() === name.toLowerCase());
  if (close >= 0) return close;
  throw new LullError('wrong_usage', `${file} has no column ${name} (--${role})`, {
    hint: `its columns: ${listed(columns)}`,
  });
}

function noColumn(file: string, columns: readonly string[], role: 'user' | 'time'): LullError {
  const meaning = role === 'user' ? 'whose events they are' : 'when they happened';
  return new LullError('wrong_usage', `${file} has no column that says ${meaning}`, {
    hint: `name it with --${role}; the first line has: ${listed(columns)}`,
  });
}

function listed(columns: readonly string[]): string {
  const shown = columns.slice(0, 20).map((column) => column.slice(0, 40));
  return shown.join(', ') + (columns.length > shown.length ? ', …' : '');
}
