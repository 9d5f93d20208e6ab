/** The live list: newest of each user, filtered and ordered, never more than it may hold. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Session } from '../api-types.ts';
import { LiveSessions, MAX_KEPT, NO_FILTERS } from './live-sessions.ts';

const NOW_MS = Date.parse('2026-11-25T10:00:00.000Z');

function live(userId: string, idleSeconds: number, parts: Partial<Session> = {}): Session {
  const endTime = new Date(NOW_MS - idleSeconds * 1000).toISOString();
  return {
    sessionId: `of ${userId}`,
    userId,
    startTime: endTime,
    endTime,
    eventCount: 1,
    addToCarts: 0,
    cartValue: {},
    hasConversion: false,
    device: 'mobile',
    ...parts,
  } as Session;
}

test('a list never puts back what the stream has told since', () => {
  const sessions = new LiveSessions();
  sessions.set(live('a', 5, { eventCount: 2 }));
  sessions.setOlder(live('a', 60));
  assert.equal(sessions.get('a')?.eventCount, 2);
  sessions.setOlder(live('a', 1, { eventCount: 3 }));
  assert.equal(sessions.get('a')?.eventCount, 3);
});

test('a whole list takes away what it lacks, unless the stream has told of it since', () => {
  const sessions = new LiveSessions();
  for (const userId of ['listed', 'ghost', 'told', 'left']) sessions.set(live(userId, -60));
  sessions.beginList();
  sessions.set(live('told', 90));
  sessions.set(live('new', 0));
  sessions.delete('left');
  for (const userId of ['listed', 'left']) sessions.setOlder(live(userId, 1));
  sessions.endList(true);
  assert.deepEqual(
    sessions.all().map(({ userId }) => userId),
    ['listed', 'told', 'new'],
  );
  sessions.beginList();
  sessions.endList(false);
  assert.equal(sessions.size, 3, 'a part of the list says nothing of the others');
});

test('filters hold together, and orders put the highest first', () => {
  const sessions = new LiveSessions();
  sessions.set(live('idle', 400));
  sessions.set(live('cart', 10, { addToCarts: 1, cartValue: { EUR: 5 }, eventCount: 3 }));
  sessions.set(live('bought', 20, { addToCarts: 1, hasConversion: true, device: null }));
  const names = (filters: object, order: 'latest' | 'idle' | 'events' | 'cart' = 'latest') =>
    sessions.shown({ ...NO_FILTERS, ...filters }, order, NOW_MS).map(({ userId }) => userId);
  assert.deepEqual(names({}), ['cart', 'bought', 'idle']);
  assert.deepEqual(names({}, 'idle'), ['idle', 'bought', 'cart']);
  assert.deepEqual(names({}, 'cart')[0], 'cart');
  assert.deepEqual(names({ hasCart: true }), ['cart', 'bought']);
  assert.deepEqual(names({ hasCart: true, hasConverted: true }), ['bought']);
  assert.deepEqual(names({ minIdleSeconds: 400 }), ['idle']);
  assert.deepEqual(names({ minIdleSeconds: 401 }), []);
  assert.deepEqual(names({ minEvents: 3 }), ['cart']);
  assert.deepEqual(names({ device: 'mobile' }), ['cart', 'idle']);
});

test('those that changed longest ago go, once there are too many', () => {
  const sessions = new LiveSessions();
  for (let n = 0; n < MAX_KEPT; n++) sessions.set(live(`user-${n}`, 1));
  sessions.set(live('user-0', 0));
  sessions.set(live('new', 0));
  assert.equal(sessions.size, MAX_KEPT);
  assert.equal(sessions.get('user-1'), undefined);
  assert.notEqual(sessions.get('user-0'), undefined);
});
