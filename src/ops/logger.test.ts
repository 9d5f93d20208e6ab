/** What the logger shows and what it hides. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger, type LogLevel } from './logger.ts';

function logged(level: LogLevel, write: (logger: ReturnType<typeof createLogger>) => void) {
  const lines: string[] = [];
  write(createLogger(level, { write: (line: string) => void lines.push(line) }));
  return lines;
}

test('a line is JSON with level, time and message', () => {
  const [line] = logged('info', (logger) => logger.info({ partition: 3 }, 'restored'));
  const entry = JSON.parse(line!);
  assert.deepEqual(
    { ...entry, time: 0 },
    { level: 'info', time: 0, partition: 3, msg: 'restored' },
  );
  assert.match(entry.time, /^\d{4}-\d\d-\d\dT/);
});

test('lines below the level are left out', () => {
  const lines = logged('warn', (logger) => {
    logger.info('not asked for');
    logger.warn('asked for');
  });
  assert.equal(lines.length, 1);
});

test('secrets are hidden at every depth in use, for child loggers too', () => {
  const secret = 'open-sesame';
  const lines = logged('info', (logger) => {
    logger.info({ token: secret }, 'top');
    logger.info({ config: { token: secret } }, 'config');
    logger.info({ request: { headers: { authorization: `Bearer ${secret}` } } }, 'request');
    logger.child({ password: secret }).info('child');
  });
  assert.equal(lines.length, 4);
  for (const line of lines) {
    assert.ok(!line.includes(secret), line);
    assert.match(line, /\[hidden\]/);
  }
});
