/** Lines of JSON: the scanner against JSON.parse, on valid lines and on broken ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JsonScanner, type KeyPaths } from '../core/json-scanner.ts';
import { NdjsonReader } from './ndjson.ts';
import { ROLES, Row, type RowTaker, TYPE } from './row.ts';

/** By role, in the order of ROLES. */
const PATHS: KeyPaths = [
  ['userId'],
  ['timestamp'],
  ['eventId'],
  ['context', 'type'],
  ['page'],
  ['context', 'page', 'referrer'],
  ['device'],
  ['utm', 'source'],
  ['utm'],
  null,
  ['amount'],
  ['é'],
];

function valuesOf(row: Row): string[] {
  return ROLES.map((_, role) => row.text(role));
}

/** What JSON.parse finds; null where the line is refused. */
function parsed(line: string): string[] | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const values: string[] = [];
  for (const [role, path] of PATHS.entries()) {
    let found: unknown = value;
    for (const key of path ?? ['nowhere']) {
      const isObject = typeof found === 'object' && found !== null && Object.hasOwn(found, key);
      found = isObject ? (found as Record<string, unknown>)[key] : undefined;
    }
    const isText = typeof found === 'string' || typeof found === 'number';
    if (!isText && found !== undefined && found !== null && role <= TYPE) return null;
    values.push(isText ? String(found) : '');
  }
  return values;
}

function scanned(line: string): string[] | null {
  const bytes = Buffer.from(`${line}\n`);
  const row = new Row();
  row.bytes = bytes;
  return new JsonScanner(PATHS, TYPE + 1).scan(row, bytes, 0, bytes.length) ? valuesOf(row) : null;
}

const KEYS = fc.oneof(
  fc.constantFrom(...PATHS.flatMap((path) => path ?? [])),
  fc.string({ maxLength: 6 }),
);
const VALUES = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.string({ unit: 'grapheme', maxLength: 8 }),
    fc.double({ noDefaultInfinity: true, noNaN: true }),
    fc.integer(),
    fc.constantFrom(true, false, null, 0, -0, 1e15, 1e16, 0.1, 59.9, 1e-7, 1e21, 123456789.123456),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(KEYS, tie('value'), { maxKeys: 4 }),
  ),
})).value;
const OBJECTS = fc.dictionary(KEYS, VALUES, { maxKeys: 8 });
const SPACES = fc.constantFrom('', ' ', '\t', '  ', '\r');

/** Members in any order, with space between, some of them twice. */
const LINES = fc.tuple(fc.array(OBJECTS, { minLength: 1, maxLength: 2 }), SPACES).map(
  ([objects, space]) =>
    `${space}{${objects
      .flatMap((object) => Object.entries(object))
      .map(([key, value]) => [JSON.stringify(key), ':', JSON.stringify(value)].join(space))
      .join(`${space},${space}`)}}${space}`,
);

test('what the scanner accepts it reads as JSON.parse does', () => {
  let accepted = 0;
  let lines = 0;
  fc.assert(
    fc.property(LINES, (line) => {
      const values = scanned(line);
      lines++;
      if (values === null) return;
      accepted++;
      assert.deepEqual(values, parsed(line));
    }),
    { numRuns: 5000 },
  );
  assert.ok(accepted > lines / 10, `${accepted} of ${lines} accepted`);
});

test('what is no JSON it never accepts', () => {
  const edit = fc.tuple(
    fc.nat(),
    fc.constantFrom('', '"', '{', '}', ',', ':', '0', '-', 'e', '\\', 'x'),
  );
  fc.assert(
    fc.property(LINES, edit, (line, [position, text]) => {
      const at = position % line.length;
      // Half a surrogate pair can't be written in UTF-8.
      const broken = (line.slice(0, at) + text + line.slice(at + 1)).toWellFormed();
      const values = scanned(broken);
      if (values !== null) assert.deepEqual(values, parsed(broken));
    }),
    { numRuns: 5000 },
  );
});

for (const line of [
  '',
  '{',
  '{}x',
  '{"a"}',
  '{"a":}',
  '{"a":1,}',
  '{,"a":1}',
  '{"a":01}',
  '{"a":1.}',
  '{"a":.5}',
  '{"a":+1}',
  '{"a":1e}',
  '{"a":-}',
  '{"a":tru}',
  '{"a":nullx}',
  '{"a":"\t"}',
  '{"a":[1,]}',
  '{"a":[1 2]}',
  '{"a":{"b":1}',
  "{'a':1}",
  '{"a":"x}',
  '[1]',
  '"a"',
]) {
  test(`no object: ${line}`, () => {
    assert.equal(scanned(line), null);
    assert.equal(parsed(line), null);
  });
}

test('the ordinary line of an event is accepted', () => {
  const line =
    '{"userId":"u é","timestamp":1795428000000,"eventId":"e","context":{"type":"T","x":[1,{}]},' +
    '"page":"/p","device":null,"utm":{"source":"s","y":-1.5e3},"amount":59.9,"properties":{}}';
  assert.deepEqual(scanned(line), parsed(line));
  assert.equal(scanned(line)![0], 'u é');
});

test('a reader tells the same of each line, by whichever way it is read', () => {
  const told: (string[] | null)[] = [];
  const taker: RowTaker = {
    row: (row) => void told.push(valuesOf(row)),
    reject: () => void told.push(null),
  };
  fc.assert(
    fc.property(fc.array(LINES, { minLength: 1, maxLength: 5 }), (lines) => {
      told.length = 0;
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
      const next = new NdjsonReader(PATHS, 1 << 20).read(bytes, 0, bytes.length, 1, taker);
      assert.equal(next, lines.length + 1);
      assert.deepEqual(told, lines.map(parsed));
    }),
    { numRuns: 1000 },
  );
});

test('nesting without end is left to the parser, and that it refuses or takes', () => {
  const deep = `{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`;
  assert.equal(scanned(deep), null);
  assert.notEqual(parsed(deep), null);
});
