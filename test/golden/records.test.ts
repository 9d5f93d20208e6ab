/** Records that older versions have stored stay readable. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DEFAULT_DEFINITION } from '../../src/core/definition.ts';
import { describe } from '../../src/core/describe.ts';
import { chunkKey, sessionKey, userKey } from '../../src/core/keys.ts';
import { decodeChunk, decodeSession, decodeUser } from '../../src/core/record.ts';
import { FIXTURES, IDENTITY, type RecordFixture } from './record-fixture.ts';

for (const name of readdirSync(FIXTURES)) {
  test(`${name} reads as it did when it was written`, () => {
    const fixture: RecordFixture = JSON.parse(readFileSync(join(FIXTURES, name), 'utf8'));
    const { userId } = fixture;
    const stored = new Map(fixture.writes);
    const read = (key: Uint8Array) => {
      const value = stored.get(Buffer.from(key).toString('hex'));
      assert.notEqual(value, undefined);
      return Buffer.from(value!, 'hex');
    };
    const user = decodeUser(userId, read(userKey(userId)));
    let idsInChunks = 0;
    const described = [...user.sessions].map((session) => {
      if (!session.hasBody) decodeSession(session, read(sessionKey(userId, session.offset)));
      const { ids } = session;
      const chunks = (ids?.chunks ?? []).map((chunk) => decodeChunk(read(chunkKey(userId, chunk))));
      ids?.load(chunks);
      for (const id of chunks.flat()) assert.ok(ids!.has(id));
      idsInChunks += chunks.flat().length;
      return describe(IDENTITY, DEFAULT_DEFINITION, userId, session, 'active', null);
    });
    assert.equal(described.length, 2);
    assert.ok(idsInChunks > 0);
    assert.deepEqual(described, fixture.sessions);
  });
}

test('a record of a version that is not known yet is refused', () => {
  assert.throws(() => decodeUser('u', Uint8Array.of(3, 0, 0)), /unknown version 3/);
});
