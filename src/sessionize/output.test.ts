/** What comes out besides the sessions: files, rejects, notes, and one clear line when it fails. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { fileOf, folder, parsed, pathOf, run } from '../../test/support/run-sessionize.ts';
import { DEFAULT_DEFINITION } from '../core/definition.ts';
import { systemClock } from '../ops/clock.ts';
import { DEFAULT_OPTIONS } from './options.ts';
import { CSV_HEADER } from './session-csv.ts';
import { runSessionize } from './sessionize.ts';

const EVENTS = 'user,time,type\nu1,2026-11-23 10:00:00,A\nu2,2026-11-23 10:00:00,B\n';

test('a file by its ending, the same lines as on standard output', async () => {
  const input = fileOf(EVENTS);
  const lines = (await run([input])).out;
  for (const ending of ['.ndjson', '.jsonl', '.ndjson.gz']) {
    const out = pathOf(ending);
    const ran = await run([input], { out });
    const bytes = readFileSync(out);
    assert.equal(String(ending.endsWith('.gz') ? gunzipSync(bytes) : bytes), lines);
    assert.equal(ran.out, '');
    assert.equal(existsSync(`${out}.partial`), false);
  }
});

test('CSV begins with the names, in each way of running', async () => {
  for (const threads of [1, 2]) {
    const out = pathOf('.csv.gz');
    await run(['-'], { out, threads }, Readable.from([Buffer.from(EVENTS)]));
    const [header, first, second, ...rest] = String(gunzipSync(readFileSync(out))).split('\n');
    assert.equal(`${header}\n`, CSV_HEADER);
    assert.match(first!, /^[0-9a-f]{32},u1,active,0,,,2026-11-23T10:00:00\.000Z,/);
    assert.match(second!, /^[0-9a-f]{32},u2,/);
    assert.deepEqual(rest, ['']);
  }
});

test('nothing in gives nothing out', async () => {
  for (const input of ['', 'user,time\n', '\n']) {
    if (input === '\n') {
      await assert.rejects(run([fileOf(input)]), { code: 'wrong_usage' });
      continue;
    }
    const ran = await run([fileOf(input)]);
    assert.deepEqual(ran.totals, { events: 0, sessions: 0, rejected: 0 });
    assert.equal(ran.out, '');
  }
});

const BAD_ROWS = [
  'user,time,type,amount',
  'u1,2026-11-23 10:00:00,A,1',
  'u1,2026-11-31 10:00:00,A,',
  ',2026-11-23 10:00:00,A,',
  'u1,,A,',
  'u1,2026-11-23 10:00:01',
  `${'x'.repeat(257)},2026-11-23 10:00:01,A,`,
  `u1,2026-11-23 10:00:01,${'t'.repeat(65)},`,
  '"u1"x,2026-11-23 10:00:01,A,',
  'u\xff,2026-11-23 10:00:01,A,',
  'u1,2026-11-23 10:00:02,A,$5',
  '"u1,2026-11-23 10:00:01,A,',
  '',
].join('\r\n');

const REASONS = [
  [3, 'invalid_timestamp', 'not a time: 2026-11-31 10:00:00'],
  [4, 'missing_field', 'the user is empty'],
  [5, 'missing_field', 'the time is empty'],
  [6, 'wrong_field_count', '2 fields where the header has 4'],
  [7, 'invalid_field', 'the user is longer than 256 bytes'],
  [8, 'invalid_field', 'the type is longer than 64 characters'],
  [9, 'text_after_quote', 'text follows a closing quote'],
  [10, 'invalid_field', 'the user is not UTF-8'],
  [12, 'quote_not_closed', 'a quote is opened and not closed within 1 MB'],
] as const;

test("rows that can't be read: each with file, line, reason and the row itself", async () => {
  const bytes = Buffer.from(BAD_ROWS, 'latin1');
  for (const threads of [1, 2]) {
    const rejects = pathOf('.ndjson');
    const ran = await run(['-'], { rejects, threads }, Readable.from([bytes]));
    const told = parsed(readFileSync(rejects, 'utf8'));
    assert.deepEqual(
      told.map(({ line, reason, message }) => [line, reason, message]),
      REASONS,
    );
    const rows = BAD_ROWS.replace('\xff', '\ufffd').split('\r\n');
    for (const { file, line, row } of told) {
      assert.equal(file, '-');
      assert.equal(row, rows[line - 1]);
    }
    assert.deepEqual(ran.totals, { events: 2, sessions: 1, rejected: 9 });
    assert.match(ran.said, /3 rows rejected: invalid_field\n {2}-:7: the user is longer than 256/);
    assert.match(ran.said, /1 event counts without its amount; the first: -:11: \$5/);
  }
});

test('of many rejects the first few are shown, all of them counted and written', async () => {
  const rows = Array.from({ length: 5000 }, (_, index) => `u,${index}-bad,A\n`).join('');
  const rejects = pathOf('.ndjson');
  const ran = await run([fileOf(`user,time,type\n${rows}`)], { rejects });
  assert.equal(ran.totals.rejected, 5000);
  assert.equal(parsed(readFileSync(rejects, 'utf8')).length, 5000);
  assert.equal(ran.said.match(/not a time/g)!.length, 3);
  assert.match(ran.said, /5,000 rows rejected: invalid_timestamp/);
  assert.match(ran.said, /and 4,997 more/);
});

test('a line of many megabytes is rejected without being kept, and reading goes on', async () => {
  const rejects = pathOf('.ndjson');
  const text = `user,time\nu1,${'9'.repeat(20e6)}\nu2,2026-11-23 10:00:00\nu3,"${'x'.repeat(2e6)}\nu4,2026-11-23 10:00:00`;
  for (const order of ['event', 'arrival'] as const) {
    const { totals } = await run([fileOf(text)], { rejects, order });
    assert.deepEqual(totals, { events: 2, sessions: 2, rejected: 2 });
    const told = parsed(readFileSync(rejects, 'utf8'));
    assert.deepEqual(
      told.map(({ line, reason }) => [line, reason]),
      [
        [2, 'line_too_long'],
        [4, 'line_too_long'],
      ],
    );
    for (const { row } of told) assert.equal(row.length, 64 * 1024);
  }
});

test('a reader that has seen enough ends it without complaint', async () => {
  const rows = Array.from({ length: 20_000 }, (_, index) => `u${index},2026-11-23 10:00:00\n`);
  const files = [fileOf(`user,time\n${rows.join('')}`)];
  const options = { ...DEFAULT_OPTIONS, definition: DEFAULT_DEFINITION, files };
  for (const order of ['event', 'arrival'] as const) {
    let writtenBytes = 0;
    const stdout = new Writable({
      write(chunk, _encoding, done) {
        writtenBytes += chunk.length;
        done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
      },
    });
    const stderr = new Writable({ write: (_chunk, _encoding, done) => done() });
    const io = { stdin: Readable.from([]), stdout, stderr, clock: systemClock };
    await runSessionize({ ...options, order }, io);
    assert.ok(writtenBytes > 0 && writtenBytes < 4e6);
  }
});

test("what can't be read or written is one clear line", async () => {
  const input = fileOf(EVENTS);
  const damaged = fileOf(gzipSync(EVENTS.repeat(100)).subarray(0, 60), '.csv.gz');
  const nowhere = { memoryBytes: 0, tempFolder: '/nowhere' };
  const stdin = Readable.from([Buffer.from(EVENTS)]);
  for (const [inputs, options, code, message] of [
    [[input, 'nowhere.csv'], {}, 'input_unreadable', /nowhere.csv.*no such file/],
    [[folder], {}, 'input_unreadable', /it is a folder/],
    [[damaged], {}, 'input_unreadable', /gzip data can't be unpacked/],
    [[input], { out: '/nowhere/a.csv' }, 'output_unwritable', /\/nowhere\/a.csv/],
    [[input], nowhere, 'output_unwritable', /temporary files can't be written in \/nowhere/],
    // In threads, since nobody knows how much there is of standard input.
    [['-'], nowhere, 'output_unwritable', /temporary files can't be written in \/nowhere/],
  ] as const) {
    await assert.rejects(run(inputs, options, stdin), { code, message });
  }
});

test('a full disk is one clear line, and half a file does not stay', async (context) => {
  if (!existsSync('/dev/full')) return context.skip('there is no /dev/full here');
  const out = pathOf('.ndjson');
  symlinkSync('/dev/full', out);
  await assert.rejects(run([fileOf(EVENTS)], { out }), {
    code: 'disk_full',
    message: `no space is left for ${out}`,
  });
});

test('stopped by a signal, no half file stays', async () => {
  const out = pathOf('.ndjson');
  const main = fileURLToPath(new URL('../main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, 'sessionize', '-', '--out', out], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = once(child, 'close');
  child.stdin.write(EVENTS);
  while (!existsSync(`${out}.partial`)) await systemClock.sleep(10);
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [null, 'SIGTERM']);
  assert.equal(existsSync(`${out}.partial`), false);
  assert.equal(existsSync(out), false);
});

test('wrong usage is told before anything is written', async () => {
  const input = fileOf(EVENTS);
  for (const [inputs, options, message] of [
    [[], {}, /at least one file/],
    [['-', '-'], {}, /once only/],
    [[input], { out: 'a.txt' }, /doesn't say its format/],
    [[input], { out: 'a.csv', order: 'arrival' }, /several kinds/],
    [[input], { out: input }, /overwritten/],
    [[input], { out: pathOf('.ndjson'), rejects: input }, /overwritten/],
    [[input], { timeZone: 'Mars' }, /no time zone Mars/],
  ] as const) {
    await assert.rejects(run(inputs, options), { code: 'wrong_usage', message });
  }
  assert.equal(readFileSync(input, 'utf8'), EVENTS);
});

test('times without an offset are of the zone that is named', async () => {
  const text = 'user,time\nu,2024-07-01 12:00:00\nv,2024-07-01T12:00:00Z\n';
  const { out } = await run([fileOf(text)], { timeZone: 'America/New_York' });
  assert.deepEqual(
    parsed(out).map(({ startTime }) => startTime),
    ['2024-07-01T16:00:00.000Z', '2024-07-01T12:00:00.000Z'],
  );
});
