/** What an input is taken for, and what its rows say, format by format. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockCutter } from './blocks.ts';
import { type Format, type InputPlan, planInput, readerOf } from './input.ts';
import { ROLES, type Row } from './row.ts';
import type { Source } from './source.ts';

const NONE = { user: null, time: null, type: null, id: null };

function sourceOf(text: string | Uint8Array): Source {
  let rest: Uint8Array = Buffer.from(text);
  return {
    name: 'input',
    sizeBytes: rest.length,
    takenBytes: 0,
    async read(into) {
      const count = Math.min(into.length, rest.length);
      into.set(rest.subarray(0, count));
      rest = rest.subarray(count);
      return count;
    },
    async close() {},
  };
}

interface Read {
  readonly plan: InputPlan;
  /** By row its values by role, or why it is rejected. */
  readonly rows: readonly (Partial<Record<string, string>> | string)[];
}

async function read(
  text: string | Uint8Array,
  named: Partial<typeof NONE | Record<keyof typeof NONE, string>> = {},
  name = 'input',
  format: Format | null = null,
): Promise<Read> {
  const cutter = new BlockCutter(sourceOf(text));
  const plan = await planInput(name, cutter, format, { ...NONE, ...named });
  const rows: Read['rows'][number][] = [];
  const taker = {
    row(row: Row) {
      const values = ROLES.map((role, index) => [role, row.text(index)] as const);
      rows.push(Object.fromEntries(values.filter(([, value]) => value !== '')));
    },
    reject: (_row: Row, reason: string) => void rows.push(reason),
  };
  const block = await cutter.next(new Uint8Array(1 << 22), (_, length) => length, true);
  if (block !== null) {
    readerOf(plan).read(block.bytes, 0, block.end, plan.firstLine, taker);
  }
  return { plan, rows };
}

test('CSV by its usual names, whatever their spelling', async () => {
  for (const [header, user, time, type] of [
    ['user_id,timestamp,event_type', 'user_id', 'timestamp', 'event_type'],
    ['Time,User ID,Event Name', 'User ID', 'Time', 'Event Name'],
    ['event_time;customerId;action', 'customerId', 'event_time', 'action'],
    ['"visitor_id"\t"ts"\t"type"', 'visitor_id', 'ts', 'type'],
    ['\ufeffuserId,created_at,event', 'userId', 'created_at', 'event'],
  ] as const) {
    const { plan } = await read(`${header}\n`);
    assert.equal(plan.format, 'csv');
    assert.equal(plan.description, `user = ${user}, time = ${time}, type = ${type}`);
  }
});

test("columns beyond the first four are the Event's own", async () => {
  const header = 'user,time,event_id,type,url,referer,platform,utm_source,utm_medium,utm_campaign';
  const { rows } = await read(`${header},price,currency,junk\nu,t,i,e,/p,r,d,s,m,c,9.5,EUR,x\n`);
  assert.deepEqual(rows, [
    {
      ...{ user: 'u', time: 't', id: 'i', type: 'e', page: '/p', referrer: 'r', device: 'd' },
      ...{ utmSource: 's', utmMedium: 'm', utmCampaign: 'c', amount: '9.5', currency: 'EUR' },
    },
  ]);
});

test("a better name wins over a usual one that also fits; a bare id is nobody's", async () => {
  const { plan } = await read('id,user,user_id,time,date\n');
  assert.equal(plan.description, 'user = user_id, time = time, no type (EVENT)');
});

test('without a type column, rows with a page are page views', async () => {
  assert.equal((await read('user,time,page\n')).plan.defaultType, 'PAGE_VIEW');
  assert.equal((await read('user,time,amount\n')).plan.defaultType, 'EVENT');
});

test('flags name columns, and what they name is taken for nothing else', async () => {
  const named = { user: 'Account', time: 'when', type: 'user_id' };
  const { rows } = await read('account,when,user_id\na,b,c\n', named);
  assert.deepEqual(rows, [{ user: 'a', time: 'b', type: 'c' }]);
});

test("what can't be found is wrong usage that lists what there is", async () => {
  await assert.rejects(read('a,b\n'), {
    code: 'wrong_usage',
    message: 'input has no column that says whose events they are',
    hint: 'name it with --user; the first line has: a, b',
  });
  await assert.rejects(read('user,b\n'), { code: 'wrong_usage', message: /when they happened/ });
  await assert.rejects(read('user,time\n', { type: 'kind' }), {
    code: 'wrong_usage',
    message: 'input has no column kind (--type)',
    hint: 'its columns: user, time',
  });
});

test('NDJSON by keys, by paths, and with values that are numbers', async () => {
  const { plan, rows } = await read(
    [
      '{"userId":7,"timestamp":1795428000000,"eventType":"A","utm":{"source":"s"},"amount":59.90}',
      '{"userId":"u\\n\\u00e9","timestamp":"t","page":"/p","eventId":"e"}',
      '  ',
      '{"userId":"u","timestamp":"t","amount":null,"utm":7,"page":{}}',
      '{"userId":true,"timestamp":"t"}',
      '{"userId":{"a":1},"timestamp":"t"}',
      '[1]',
      'null',
      '{"userId":"u",}',
      '',
    ].join('\n'),
  );
  assert.equal(plan.format, 'ndjson');
  assert.deepEqual(rows, [
    { user: '7', time: '1795428000000', type: 'A', utmSource: 's', amount: '59.9' },
    { user: 'u\né', time: 't', page: '/p', id: 'e' },
    { user: 'u', time: 't' },
    'invalid_field',
    'invalid_field',
    'not_an_object',
    'not_an_object',
    'invalid_json',
  ]);
});

test("NDJSON: flags take paths; the Event's own keys are found in later lines too", async () => {
  const text = '{"context":{"user":{"id":"u"}},"sent.at":"t"}\n{"page":"/p","context":{}}\n';
  const { rows } = await read(text, { user: 'context.user.id', time: 'sent.at' });
  assert.deepEqual(rows, [{ user: 'u', time: 't' }, { page: '/p' }]);
  const late = `{"userId":"u","timestamp":"t"}\n${' '.repeat(300_000)}\n{"page":"/p"}\n`;
  assert.deepEqual((await read(late)).rows.at(-1), { page: '/p' });
});

test('access logs: address, time, path without query, referrer', async () => {
  const { plan, rows } = await read(
    [
      '::1 - - [17/May/2015:10:05:03 +0000] "GET /a?b=c HTTP/1.1" 200 5 "http://r/" "Agent \\"x\\""',
      '1.2.3.4 - me [17/May/2015:10:05:04 +0000] "POST /a%20b HTTP/1.1" 200 - "-" "-"',
      '1.2.3.4 - - [17/May/2015:10:05:05 +0000] "GET http://h/p HTTP/1.1" 200 1',
      '1.2.3.4 - - [17/May/2015:10:05:06 +0000] "-" 408 0 "-" "-"',
      '1.2.3.4 - - [17/May/2015:10:05:07 +0000] "\\"\\\\" 400 0',
      '1.2.3.4 - - 17/May/2015 "GET / HTTP/1.1"',
      'what is this',
      '',
    ].join('\n'),
  );
  const time = (second: number) => `17/May/2015:10:05:0${second} +0000`;
  assert.equal(plan.format, 'combined');
  assert.deepEqual(rows, [
    { user: '::1', time: time(3), page: '/a', referrer: 'http://r/' },
    { user: '1.2.3.4', time: time(4), page: '/a%20b' },
    { user: '1.2.3.4', time: time(5), page: 'http://h/p' },
    { user: '1.2.3.4', time: time(6) },
    { user: '1.2.3.4', time: time(7) },
    'not_a_log_line',
    'not_a_log_line',
  ]);
});

test('a format that is named is not found out', async () => {
  const { plan } = await read('{"user":1},time\n', { user: '{"user":1}' }, 'x.ndjson', 'csv');
  assert.equal(plan.format, 'csv');
});

test('a name says the format, also before .gz', async () => {
  assert.equal((await read('', {}, 'a.NDJSON.gz')).plan.format, 'ndjson');
  assert.equal((await read('', {}, 'a.tsv')).plan.format, 'csv');
});

test('the unit of a column of numbers is that of its largest', async () => {
  assert.equal((await read('user,time\nu,0\nu,1795428000123\n')).plan.units, 1000);
  assert.equal((await read('user,time\nu,1795428000')).plan.units, 1);
  assert.equal((await read('{"user":"u","ts":1795428000123456}')).plan.units, 1_000_000);
});

test('what is no text of ours is refused with what to do', async () => {
  for (const [bytes, message] of [
    [Buffer.from('\ufeffa,b', 'utf16le'), 'input is UTF-16'],
    [Buffer.from('PAR1....'), 'input is Parquet, which is not read yet'],
    [Buffer.from('a\0b'), 'input is not text'],
    [Buffer.from('[{"userId":"u"}]'), 'input is a JSON array'],
  ] as const) {
    await assert.rejects(read(bytes), { code: 'input_unreadable', message });
  }
});
