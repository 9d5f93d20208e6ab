/** Bodies: what counts as one event, as several, and where each begins and ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findItems } from './body-items.ts';

const MAX = 1000;

function texts(body: string | Buffer, lines = false): string[] | string {
  const bytes = Buffer.from(body);
  const items = findItems(bytes, lines, MAX);
  if (typeof items === 'string') return items;
  const found: string[] = [items.form];
  for (let at = 0; at < items.bounds.length; at += 2) {
    found.push(bytes.subarray(items.bounds[at], items.bounds[at + 1]).toString());
  }
  return found;
}

const CASES: readonly [what: string, body: string, expected: string[] | string][] = [
  ['one object', ' {"a":1} \n', ['single', '{"a":1}']],
  [
    'one object over several lines',
    '{\n  "a": {\n    "b": 1 }\n}',
    ['single', '{\n  "a": {\n    "b": 1 }\n}'],
  ],
  ['one object laid out oddly', '{"a":\n{"b":1}}', ['single', '{"a":\n{"b":1}}']],
  ['an array', '[{"a":1}, {"b":[2,3]} ]', ['batch', '{"a":1}', '{"b":[2,3]}']],
  ['an array of one', '[{"a":1}]', ['batch', '{"a":1}']],
  ['an empty array', ' [ ] ', ['batch']],
  ['brackets and quotes in strings', '[{"a":"],\\"}"},2]', ['batch', '{"a":"],\\"}"}', '2']],
  ['a comma too many', '[1,]', ['batch', '1', '']],
  ['lines', '{"a":1}\n{"b":2}', ['batch', '{"a":1}', '{"b":2}']],
  [
    'lines with empty ones and CRLF',
    '\r\n{"a":1}\r\n\r\n{"b":2}\r\n',
    ['batch', '{"a":1}', '{"b":2}'],
  ],
  ['lines of which the first is broken', '{"a":\n{"b":2}', ['batch', '{"a":', '{"b":2}']],
  ['a byte order mark', '\ufeff{"a":1}', ['single', '{"a":1}']],
  ['nothing', ' \n ', 'empty'],
  ['an array without end', '[{"a":1}', 'broken_array'],
  ['a string without end', '[{"a":"1}]', 'broken_array'],
  ['something after the array', '[1] 2', 'broken_array'],
  ['an array that ends as an object', '[1}', 'broken_array'],
];
for (const [what, body, expected] of CASES) {
  test(what, () => assert.deepEqual(texts(body), expected));
}

test('one line that is called NDJSON is a batch', () => {
  assert.deepEqual(texts('{"a":1}\n', true), ['batch', '{"a":1}']);
});

test('the bound on events holds to one', () => {
  const array = (count: number) => `[${Array(count).fill('{}').join(',')}]`;
  const lines = (count: number) => '{}\n'.repeat(count);
  for (const make of [array, lines]) {
    assert.equal(texts(make(MAX)).length, MAX + 1);
    assert.equal(texts(make(MAX + 1)), 'too_many');
  }
});

test('items of any array and any lines are what was put in', () => {
  const value = fc.jsonValue();
  const spacing = fc.constantFrom(undefined, 1, '\t');
  fc.assert(
    fc.property(fc.array(value), spacing, (values, space) => {
      const found = texts(JSON.stringify(values, null, space));
      assert.ok(Array.isArray(found));
      assert.deepEqual(
        found.slice(1).map((text) => JSON.parse(text)),
        JSON.parse(JSON.stringify(values)),
      );
    }),
  );
  const object = fc.dictionary(fc.string(), value, { minKeys: 1, noNullPrototype: true });
  fc.assert(
    fc.property(fc.array(object, { minLength: 2 }), (values) => {
      const written = values.map((one) => JSON.stringify(one));
      assert.deepEqual(texts(written.join('\n')), ['batch', ...written]);
    }),
  );
});

test('bounds lie within any body and never overlap', () => {
  const piece = fc.constantFrom('[', ']', '{', '}', '"', '\\', ',', ' ', '\n', '1', 'ä', '\ufeff');
  fc.assert(
    fc.property(fc.array(piece), fc.boolean(), (pieces, lines) => {
      const body = Buffer.from(pieces.join(''));
      const items = findItems(body, lines, MAX);
      if (typeof items === 'string') return;
      let last = 0;
      for (const bound of items.bounds) {
        assert.ok(bound >= last && bound <= body.length);
        last = bound;
      }
    }),
  );
});
