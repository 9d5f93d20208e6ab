/** The screen of `lull start`, in its forms. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { type Flags, loadConfig } from '../config.ts';
import { backfillLine, startLine, startScreen } from './start-screen.ts';

const URL = 'http://127.0.0.1:8080';

function screen(flags: Flags, diskBytes = 0): string {
  return startScreen(loadConfig(flags, {}).config, URL, diskBytes);
}

test('with shoppers: three requests, the data, how to stop and reset, in few lines', () => {
  const text = screen({}, 45_200_000);
  assert.equal(text.match(/curl "http/g)?.length, 3);
  assert.match(text, /^Data {3}\.\/data {2}\(45\.2 MB\)$/m);
  assert.match(text, /^Stop {3}Ctrl-C$/m);
  assert.match(text, /^Reset {2}rm -rf \.\/data /m);
  assert.ok(text.split('\n').length < 15);
  assert.ok(text.split('\n').every((line) => line.length <= 100));
});

test('without shoppers: an event of now, and when its session closes', () => {
  assert.match(
    screen({ simulate: false }),
    /closes 35m after its last event; --gap 10s --grace 2s/,
  );
  assert.match(
    screen({ simulate: false, gap: '10s', grace: '2s' }),
    /closes 12s after its last event\n/,
  );
});

test('the event to copy is JSON dated now once a shell has read it', () => {
  const body = / -d ("[^\n]*")$/m.exec(screen({ simulate: false }))![1]!;
  const printed = execFileSync('sh', ['-c', `printf %s ${body}`], { encoding: 'utf8' });
  const event = JSON.parse(printed);
  assert.deepEqual(Object.keys(event), ['userId', 'eventType', 'timestamp']);
  assert.ok(Math.abs(event.timestamp - Date.now()) < 3_600_000);
});

test('with a token, the requests carry it without showing it', () => {
  const text = screen({ token: 'open-sesame' });
  assert.equal(text.match(/-H "Authorization: Bearer \$LULL_TOKEN"/g)?.length, 3);
  assert.ok(!text.includes('open-sesame'));
  assert.ok(!screen({ token: 'open-sesame', auth: 'none' }).includes('Authorization'));
});

test('the line for the log says who may ask, and shows no secret', () => {
  const mayAsk = (flags: Flags) => {
    const line = startLine(loadConfig(flags, {}).config, URL);
    assert.ok(!JSON.stringify(line).includes('open-sesame'));
    assert.equal(line.health, `${URL}/health`);
    return line.mayAsk;
  };
  assert.equal(mayAsk({}), 'this machine alone');
  assert.equal(mayAsk({ token: 'open-sesame' }), 'whoever has the token');
  assert.equal(mayAsk({ token: 'open-sesame', auth: 'none' }), 'anybody');
});

test('a folder with unusual characters is safe to copy', () => {
  assert.match(screen({ data: "it's here" }), /^Reset {2}rm -rf 'it'\\''s here' /m);
});

test('progress in words', () => {
  const day = 86_400_000;
  const line = backfillLine({ doneMs: day / 2, totalMs: day + 12_000, events: 155_524 });
  assert.equal(line, 'Filling in the last 24 h: 49 %, 155,524 events');
  assert.match(backfillLine({ doneMs: 0, totalMs: 0, events: 0 }), /last 1 min: 100 %/);
});
