/** CSV by table, and against a naive parser, however the bytes come in and are cut into blocks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BlockCutter } from './blocks.ts';
import { type CsvDialect, CsvReader, detectDelimiter, endOfCsvRows, headerNames } from './csv.ts';
import { type RejectReason, type Row, type RowTaker, utf8Text } from './row.ts';
import type { Source } from './source.ts';

interface Told {
  readonly line: number;
  readonly fields?: readonly string[];
  readonly reject?: RejectReason;
  readonly original?: string;
}

/** Takes field n for role n. */
class Collector implements RowTaker {
  readonly told: Told[] = [];
  readonly #columns: number;

  constructor(columns: number) {
    this.#columns = columns;
  }

  row(row: Row): void {
    const fields = Array.from({ length: this.#columns }, (_, role) => row.text(role));
    this.told.push({ line: row.line, fields });
  }

  reject(row: Row, reason: RejectReason): void {
    const original = utf8Text(row.block, row.start, row.end).replace(/\r?\n$/, '');
    this.told.push({ line: row.line, reject: reason, original });
  }
}

const COMMA = 0x2c;
const WIDE: CsvDialect = { delimiter: COMMA, maxRowBytes: 1 << 20 };

function readerOf(columns: number, dialect: CsvDialect): CsvReader {
  return new CsvReader(
    dialect,
    Int8Array.from({ length: columns }, (_, role) => role),
  );
}

function read(text: string, columns: number, dialect = WIDE): readonly Told[] {
  const collector = new Collector(columns);
  const bytes = Buffer.from(text);
  readerOf(columns, dialect).read(bytes, 0, bytes.length, 1, collector);
  return collector.told;
}

const GOLDEN: readonly (readonly [text: string, told: readonly Told[]])[] = [
  ['a,b\n', [{ line: 1, fields: ['a', 'b'] }]],
  [
    'a,b\r\nc,d\r\n',
    [1, 2].map((line) => ({ line, fields: line === 1 ? ['a', 'b'] : ['c', 'd'] })),
  ],
  [',\n', [{ line: 1, fields: ['', ''] }]],
  [
    '"a,1","b\n2"\nc,d\n',
    [
      { line: 1, fields: ['a,1', 'b\n2'] },
      { line: 3, fields: ['c', 'd'] },
    ],
  ],
  ['"say ""hi""",""\n', [{ line: 1, fields: ['say "hi"', ''] }]],
  ['"""",""""""\n', [{ line: 1, fields: ['"', '""'] }]],
  ['a"b,c""d\n', [{ line: 1, fields: ['a"b', 'c""d'] }]],
  ['a ,"b"\r\n', [{ line: 1, fields: ['a ', 'b'] }]],
  ['\n\r\na,b\n', [{ line: 3, fields: ['a', 'b'] }]],
  ['a\n', [{ line: 1, reject: 'wrong_field_count', original: 'a' }]],
  ['a,b,c\n', [{ line: 1, reject: 'wrong_field_count', original: 'a,b,c' }]],
  ['"a"b,c\n', [{ line: 1, reject: 'text_after_quote', original: '"a"b,c' }]],
  [
    '"a,b\nc,d\n',
    [
      { line: 1, reject: 'quote_not_closed', original: '"a,b' },
      { line: 2, fields: ['c', 'd'] },
    ],
  ],
  ['é,😀\n', [{ line: 1, fields: ['é', '😀'] }]],
];

for (const [text, told] of GOLDEN) {
  test(`CSV: ${JSON.stringify(text)}`, () => {
    assert.deepEqual(read(text, 2), told);
  });
}

test('a row over the bound is rejected by its first line, and the next line is read', () => {
  const narrow = { delimiter: COMMA, maxRowBytes: 8 };
  assert.deepEqual(read('aaaa,bbbb\nc,d\n', 2, narrow), [
    { line: 1, reject: 'line_too_long', original: 'aaaa,bbbb' },
    { line: 2, fields: ['c', 'd'] },
  ]);
  assert.deepEqual(read('a,"b\nc,d\ne"\n', 2, narrow), [
    { line: 1, reject: 'quote_not_closed', original: 'a,"b' },
    { line: 2, fields: ['c', 'd'] },
    { line: 3, reject: 'wrong_field_count', original: 'e"' },
  ]);
});

test('rows of exactly the bound are read', () => {
  assert.deepEqual(read('aaa,bbb\n', 2, { delimiter: COMMA, maxRowBytes: 8 }), [
    { line: 1, fields: ['aaa', 'bbb'] },
  ]);
});

/** The dialect once more, character by character over the whole text. */
function naive(text: string, columns: number, maxRowBytes: number): Told[] {
  const told: Told[] = [];
  let at = 0;
  let line = 1;
  while (at < text.length) {
    const lineEnd = text.indexOf('\n', at) + 1;
    const row = naiveRow(text, at);
    if (row === null || Buffer.byteLength(text.slice(at, row.end)) > maxRowBytes) {
      const isLong = Buffer.byteLength(text.slice(at, lineEnd)) > maxRowBytes;
      const reject = isLong ? 'line_too_long' : 'quote_not_closed';
      told.push({ line, reject, original: chomp(text, at, lineEnd) });
      at = lineEnd;
      line++;
      continue;
    }
    const original = chomp(text, at, row.end);
    if (original === '') {
      // Nothing is there.
    } else if (row.stray) told.push({ line, reject: 'text_after_quote', original });
    else if (row.fields.length !== columns) {
      told.push({ line, reject: 'wrong_field_count', original });
    } else told.push({ line, fields: row.fields });
    line += text.slice(at, row.end).split('\n').length - 1;
    at = row.end;
  }
  return told;
}

function naiveRow(text: string, start: number) {
  const fields: string[] = [];
  let stray = false;
  let at = start;
  for (;;) {
    let field = '';
    if (text[at] === '"') {
      at++;
      for (;;) {
        if (at >= text.length) return null;
        if (text[at] === '"' && text[at + 1] === '"') {
          field += '"';
          at += 2;
        } else if (text[at] === '"') break;
        else field += text[at++];
      }
      at++;
      let after = '';
      while (text[at] !== ',' && text[at] !== '\n') after += text[at++];
      if (after !== '' && !(after === '\r' && text[at] === '\n')) stray = true;
    } else {
      while (text[at] !== ',' && text[at] !== '\n') field += text[at++];
      if (text[at] === '\n' && field.endsWith('\r')) field = field.slice(0, -1);
    }
    fields.push(field);
    if (text[at++] === '\n') return { fields, stray, end: at };
  }
}

function chomp(text: string, start: number, end: number): string {
  return text.slice(start, end).replace(/\r?\n$/, '');
}

/** A source that gives its bytes in pieces of the sizes given, over and over. */
function pieces(bytes: Uint8Array, sizes: readonly number[]): Source {
  let at = 0;
  let turn = 0;
  return {
    name: 'pieces',
    sizeBytes: bytes.length,
    get takenBytes() {
      return at;
    },
    async read(into) {
      const count = Math.min(into.length, sizes[turn++ % sizes.length]!, bytes.length - at);
      into.set(bytes.subarray(at, at + count));
      at += count;
      return count;
    },
    async close() {},
  };
}

async function readInBlocks(
  bytes: Uint8Array,
  columns: number,
  maxRowBytes: number,
  blockBytes: number,
  sizes: readonly number[],
  whole: boolean,
): Promise<readonly Told[]> {
  const dialect = { delimiter: COMMA, maxRowBytes };
  const cutter = new BlockCutter(pieces(bytes, sizes));
  const collector = new Collector(columns);
  const reader = readerOf(columns, dialect);
  const buffer = new Uint8Array(blockBytes);
  let line = 1;
  for (;;) {
    const block = await cutter.next(
      buffer,
      (content, length, atEnd) => endOfCsvRows(content, length, atEnd, dialect),
      whole,
    );
    if (block === null) return collector.told;
    if (block.tooLong) {
      const original = '(skipped)';
      collector.told.push({ line: line++, reject: 'line_too_long', original });
    } else line = reader.read(block.bytes, 0, block.end, line, collector);
  }
}

const CHARS = fc.constantFrom('a', 'b', '"', '"', ',', '\n', '\n', '\r\n', '\r', 'é');

test('however it is cut, the rows are those of a naive parser', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(CHARS, { maxLength: 120 }).map((chars) => chars.join('')),
      fc.integer({ min: 4, max: 30 }),
      fc.integer({ min: 2, max: 40 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      async (text, maxRowBytes, extraBytes, sizes, whole) => {
        const blockBytes = 2 * maxRowBytes + extraBytes;
        const told = await readInBlocks(
          Buffer.from(text),
          2,
          maxRowBytes,
          blockBytes,
          sizes,
          whole,
        );
        const ended = text === '' || text.endsWith('\n') ? text : `${text}\n`;
        const expected = naive(ended, 2, maxRowBytes);
        assert.deepEqual(
          told.map((one) => (one.original === '(skipped)' ? { ...one, original: '' } : one)),
          expected.map((one, index) =>
            told[index]?.original === '(skipped)' ? { ...one, original: '' } : one,
          ),
        );
      },
    ),
    { numRuns: 3000 },
  );
});

test('the delimiter is the one that the header holds most of', () => {
  for (const [header, delimiter] of [
    ['a,b', ','],
    ['a;b,c;d', ';'],
    ['a\tb', '\t'],
    ['a|b', '|'],
    ['"x,y,z";b', ';'],
    ['alone', ','],
  ] as const) {
    assert.equal(detectDelimiter(Buffer.from(header)), delimiter.charCodeAt(0), header);
  }
});

test('names of a header are trimmed and unquoted', () => {
  const header = Buffer.from(' user id ,"say ""hi"", you",x,');
  assert.deepEqual(headerNames(header, COMMA), ['user id', 'say "hi", you', 'x', '']);
});
