/** The interner against a Map. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashBytes, Interner } from './interner.ts';

function intern(interner: Interner, text: string, padding: number): number {
  const bytes = Buffer.from(`${' '.repeat(padding)}${text}`);
  return interner.intern(bytes, padding, bytes.length, hashBytes(bytes, padding, bytes.length));
}

test('each distinct text gets the next number, wherever its bytes lie', () => {
  const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 12 }), fc.constantFrom('a', 'ab'));
  fc.assert(
    fc.property(fc.array(fc.tuple(text, fc.nat(5))), (texts) => {
      const interner = new Interner(100);
      const numbers = new Map<string, number>();
      for (const [one, padding] of texts) {
        const bytes = Buffer.from(one).toString();
        if (!numbers.has(bytes)) numbers.set(bytes, numbers.size);
        assert.equal(intern(interner, one, padding), numbers.get(bytes));
      }
      for (const [one, number] of numbers) {
        assert.equal(interner.text(number), one);
        assert.equal(Buffer.from(interner.bytes(number)).toString(), one);
      }
    }),
  );
});

test('it grows past its first table and arena, and starts afresh when cleared', () => {
  const interner = new Interner(100);
  for (const round of [1, 2]) {
    for (let number = 0; number < 20_000; number++) {
      assert.equal(intern(interner, `text number ${number} of ${round}`, 0), number);
    }
    assert.equal(interner.text(19_999), `text number 19999 of ${round}`);
    assert.equal(intern(interner, `text number 77 of ${round}`, 1), 77);
    interner.clear();
    assert.equal(interner.size, 0);
  }
});

test('texts are given back cut', () => {
  const interner = new Interner(3);
  assert.equal(interner.text(intern(interner, 'abcd', 0)), 'abc');
});

test('texts of the same hash are kept apart', () => {
  const interner = new Interner(10);
  const bytes = Buffer.from('one,two');
  assert.equal(interner.intern(bytes, 0, 3, 7), 0);
  assert.equal(interner.intern(bytes, 4, 7, 7), 1);
  assert.equal(interner.intern(bytes, 0, 3, 7), 0);
});
