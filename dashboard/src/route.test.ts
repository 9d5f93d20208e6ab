/** Addresses lead to views and back, whatever an id holds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routeOf, sessionPath, userPath } from './route.ts';

test('each view has its address', () => {
  assert.deepEqual(routeOf('/'), { view: 'live' });
  assert.deepEqual(routeOf('/explore'), { view: 'explore' });
  assert.deepEqual(routeOf('/system'), { view: 'system' });
  for (const path of ['/docs', '/sessions', '/sessions/', '/users/%', '/explore/x', '/users/a/b']) {
    assert.deepEqual(routeOf(path), { view: 'unknown' }, path);
  }
});

test('any id goes there and back', () => {
  for (const id of ['ada', 'a/b', '?#', '%', '<img src=x>', 'ü 漢', '..']) {
    assert.deepEqual(routeOf(userPath(id)), { view: 'user', userId: id });
    assert.deepEqual(routeOf(sessionPath(id)), { view: 'session', sessionId: id });
  }
});
