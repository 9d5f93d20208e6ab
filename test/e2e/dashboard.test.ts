/** The dashboard in a real browser, on a real system: each view, as it changes, for everybody. */
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import {
  assertFits,
  hasBrowser,
  launchBrowser,
  NO_BROWSER,
  openPage,
  violationsOf,
  type WatchedPage,
} from '../support/browser.ts';
import { unless } from '../support/prerequisite.ts';
import {
  eventually,
  get,
  makeFolder,
  post,
  type RunningSystem,
  startSystem,
  untilReady,
} from '../support/running-system.ts';
import { event, MALLORY, PLANTED, tellStory } from '../support/shop-story.ts';

const bound = { timeout: 240_000 };
const brief = { timeout: 40_000 };

interface Items {
  readonly items: { readonly sessionId: string; readonly entryPage: string }[];
}

test('its scripts are less than 100 kB, as they are sent', () => {
  const assets = 'dashboard/dist/assets';
  const scripts = readdirSync(assets).filter((name) => name.endsWith('.js.br'));
  const bytes = scripts.reduce((sum, name) => sum + statSync(join(assets, name)).size, 0);
  assert.ok(scripts.length >= 3);
  assert.ok(bytes < 100_000, `${bytes} bytes`);
});

suite('the dashboard', { ...bound, skip: unless(hasBrowser, NO_BROWSER) }, () => {
  const folder = makeFolder('dashboard');
  let system: RunningSystem;
  let browser: Browser;
  let watched: WatchedPage;
  let page: Page;

  before(async () => {
    const flags = ['--no-simulate', '--partitions', '1', '--data', folder.path];
    system = await startSystem(...flags);
    await untilReady(system.url);
    browser = await launchBrowser();
    watched = await openPage(browser);
    page = watched.page;
  }, bound);
  after(async () => {
    await browser?.close();
    await system?.end('SIGKILL');
    folder.remove();
  });

  const open = (path: string) => page.goto(`${system.url}${path}`);
  const shown = (text: string | RegExp) =>
    page.getByText(text).filter({ visible: true }).first().waitFor();
  /** A rename of the page's address is no navigation that the browser could be waited for. */
  const arrived = (path: string) =>
    eventually(
      async () => page.url(),
      (url) => url.endsWith(path),
    );
  const historyOf = (userId: string) =>
    get<Items>(`${system.url}/api/sessions/history/${encodeURIComponent(userId)}`).then(
      ({ body }) => body.items,
    );
  const row = (userId: string) => page.getByRole('row').filter({ hasText: userId });

  test(
    'an empty system says how to send the first event, and shows it when it comes',
    brief,
    async () => {
      await open('/');
      await shown('No session is live');
      for (const language of ['JavaScript', 'Python', 'curl']) {
        await page.getByRole('button', { name: language }).click();
        assert.ok(
          (await page.getByRole('region', { name: language }).innerText()).includes(system.url),
        );
      }
      for (const path of ['/explore', '/users/nobody', '/sessions/none', '/nowhere/else/at-all']) {
        const answer = await open(path);
        if (answer?.status() === 200) await shown(/No session|Nothing is known|not known/);
        else assert.equal(answer?.status(), 404);
      }
      await open('/');
      await shown('No session is live');
      await tellStory(system);
      await row('ada').waitFor();
      await eventually(
        () => historyOf('ada'),
        (items) => items.length === 2,
      );
    },
  );

  test('the live list shows what each session is, and filters', brief, async () => {
    await open('/');
    await row('busy').waitFor();
    assert.match(await row('busy').innerText(), /\/c\/5[\s\S]*6[\s\S]*6/);
    assert.match(await row('ada').innerText(), /€59\.90/);
    assert.match(await row('bought').innerText(), /Bought/);
    const names = async () =>
      (await page.locator('.session-row .user a').allInnerTexts()).map((name) => name.slice(0, 7));
    const filtered = async (expected: string[]) => {
      await eventually(names, (found) => `${found.toSorted()}` === `${expected.toSorted()}`);
    };
    const all = ['ada', 'bob', 'bought', 'bridge', 'busy', 'clock', 'mallory'];
    await filtered(all);
    await page.getByRole('button', { name: 'Has a cart' }).click();
    await filtered(['ada', 'mallory']);
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByRole('button', { name: 'Converted' }).click();
    await filtered(['bought']);
    await page.getByRole('button', { name: 'Converted' }).click();
    await page.getByLabel('Idle time').selectOption('Idle over 5 min');
    await filtered(['bob', 'bridge']);
    await page.getByLabel('Idle time').selectOption('Any idle time');
    await page.getByLabel('Events', { exact: true }).selectOption('5+ events');
    await filtered(['busy']);
    await page.getByLabel('Device').selectOption('desktop');
    await shown('No live session fits');
    await page.getByRole('button', { name: 'Clear the filters' }).click();
    await filtered(all);
    await page.getByLabel('Order').selectOption('Most events');
    await eventually(names, ([first]) => first === 'busy');
  });

  test('new sessions come by themselves, but not while the list is read', brief, async () => {
    await open('/');
    await row('busy').waitFor();
    await post(system.url, event('second', 0));
    await row('second').waitFor();
    await row('busy').hover();
    await post(system.url, event('third', 0));
    await shown('Paused: 1 new');
    assert.equal(await row('third').count(), 0);
    await page.mouse.move(0, 0);
    await row('third').waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await post(system.url, event('fourth', 0));
    await shown('Paused: 1 new');
    await page.getByRole('button', { name: 'Resume' }).click();
    await row('fourth').waitFor();
  });

  test(
    'a closed session is shown with its lulls, its path, and those beside it',
    brief,
    async () => {
      const [later, first] = await historyOf('ada');
      await open(`/sessions/${first!.sessionId}`);
      await page.getByRole('heading', { name: 'Session of ada' }).waitFor();
      await shown('14 min lull');
      const facts = await page.locator('.facts').innerText();
      assert.match(facts, /Entry page\s+\/\s+Exit page\s+\/thanks/);
      assert.match(facts, /Channel\s+search/);
      assert.match(facts, /Closed because\s+nobody did anything/);
      assert.match(facts, /Absorbed\s+no other session/);
      await shown('No earlier session of this user is kept.');
      await page.getByRole('link', { name: /After/ }).click();
      await arrived(`/sessions/${later!.sessionId}`);
      await page.getByRole('link', { name: /Before/ }).waitFor();
      await page.goBack();
      await shown('14 min lull');
    },
  );

  test('a late event changes an open page', brief, async () => {
    const [closed] = await historyOf('late');
    await open(`/sessions/${closed!.sessionId}`);
    await shown('19 min lull');
    await page.locator('.tag').getByText('Closed').waitFor();
    await post(system.url, event('late', 15, 'PAGE_VIEW', { page: '/came-late' }));
    await page.locator('.tag.live').waitFor();
    await page.locator('.event-list').getByText('/came-late').waitFor();
    const events = page.locator('.figure').filter({ hasText: /^Events/ });
    assert.match(await events.innerText(), /3$/);
    assert.match(await page.locator('.facts').innerText(), /sent 2 times/);
  });

  test('an absorbed session leads to the one that it became part of', brief, async () => {
    const [first] = await historyOf('bridge');
    const second = (await get<Items['items'][0]>(`${system.url}/api/sessions/active/bridge`)).body;
    assert.equal(first!.entryPage, '/first');
    assert.equal(second.entryPage, '/second');
    await open(`/sessions/${second.sessionId}`);
    await shown('/second');
    await post(system.url, event('bridge', 46, 'PAGE_VIEW', { page: '/between' }));
    // The page is open meanwhile: it goes along.
    await arrived(`/sessions/${first!.sessionId}`);
    await shown('became part of this one');
    await page.locator('.event-list').getByText('/between').waitFor();
    // History hears of it a moment after the page has.
    const { sessionId } = second;
    await eventually(
      () => get(`${system.url}/api/sessions/${sessionId}`),
      ({ status }) => status === 200,
    );
    await open(`/sessions/${sessionId}`);
    await arrived(`/sessions/${first!.sessionId}`);
    await page.locator('.facts').getByText(second.sessionId).waitFor();
  });

  test('a user is shown with sums, the live session and history', brief, async () => {
    await open('/users/ada');
    await page.getByRole('heading', { name: 'ada' }).waitFor();
    const figures = await page.locator('.figures').innerText();
    assert.match(figures, /Closed sessions\s+2/);
    assert.match(figures, /Converted\s+50%/);
    assert.match(figures, /Revenue\s+€59\.90/);
    await shown('The live session');
    assert.equal(await page.locator('.past tbody tr').count(), 2);
    await post(system.url, event('ada', 0, 'PAGE_VIEW', { page: '/just-now' }));
    await shown('/just-now');
    await page.getByRole('link', { name: 'The live session' }).click();
    await page.locator('.tag.live').waitFor();
  });

  test('idleness is by the clock of the system, whatever that of the browser', brief, async () => {
    const active = await get<{ sessionId: string }>(`${system.url}/api/sessions/active/bob`);
    const other = await openPage(browser);
    await other.page.clock.install({ time: Date.now() - 3 * 3_600_000 });
    for (const path of ['/users/bob', `/sessions/${active.body.sessionId}`]) {
      await other.page.goto(`${system.url}${path}`);
      await other.page
        .getByText(/^(Idle\s*|.* idle )1\d min/)
        .first()
        .waitFor();
    }
    await other.page.context().close();
  });

  test('figures over time are drawn, and are there as tables', brief, async () => {
    await open('/explore?range=24h');
    await page.locator('.plot canvas').first().waitFor();
    // Two of ada, one planted; what is live, or live again, does not count.
    assert.match(await page.locator('.figures').innerText(), /Sessions\s+3/);
    for (const title of ['Sessions', 'Conversion', 'Duration', 'Revenue']) {
      const chart = page.locator('.chart').filter({ hasText: title });
      await chart.getByRole('button', { name: 'Table' }).click();
      assert.ok((await chart.locator('tbody tr').count()) >= 24, title);
    }
    const sessions = page.locator('.chart').filter({ hasText: 'Sessions' }).first();
    const counts = await sessions.locator('td:last-child').allInnerTexts();
    assert.equal(
      counts.reduce((sum, text) => sum + Number(text), 0),
      3,
    );
    const entries = page.locator('.panel').filter({ hasText: 'Entry pages' });
    assert.match(await entries.innerText(), /\/sale\s+1\s+33\.3%\s+0%/);
    await page.getByRole('button', { name: '1 h', exact: true }).click();
    await shown('none in the time before');
    await arrived('/explore?range=1h');
    await page.getByRole('button', { name: 'Custom' }).click();
    await page.getByLabel('From').fill('2026-01-01T00:00');
    await page.getByLabel('To', { exact: true }).fill('2026-01-02T00:00');
    await page.getByRole('button', { name: 'Show' }).click();
    await shown('No session ended in this time');
  });

  const between = (fromMinutes: number, toMinutes: number) => {
    const nowMs = Date.now();
    const ago = (minutes: number) => new Date(nowMs - minutes * 60_000).toISOString();
    return `/explore?from=${ago(fromMinutes)}&to=${ago(toMinutes)}`;
  };

  test('days are those of the reader, up to the longest span', brief, async () => {
    for (const path of ['/explore?range=30d', between(366 * 24 * 60, 0)]) {
      await open(path);
      await shown('by day, the newest still counting');
      const chart = page.locator('.chart').filter({ hasText: 'Sessions' }).first();
      await chart.getByRole('button', { name: 'Table' }).click();
      await chart
        .getByText(/, 00:00$/)
        .first()
        .waitFor();
    }
    await page.getByLabel('From').fill('2020-01-01T00:00');
    await shown('At most 366 days can be shown.');
    assert.ok(await page.getByRole('button', { name: 'Show' }).isDisabled());
  });

  test('where nobody converted, the rate is drawn as nought', brief, async () => {
    await open(between(100, 80));
    const chart = (title: string) =>
      page.locator('.chart').filter({ has: page.getByRole('heading', { name: title }) });
    await chart('Sessions').locator('canvas').waitFor();
    assert.match(await page.locator('.figures').innerText(), /Sessions\s+1\s[\s\S]*Converted\s+0%/);
    await chart('Conversion').locator('canvas').waitFor();
  });

  test('the system view shows partitions, health and what became of events', brief, async () => {
    await open('/system');
    const table = page.getByRole('region', { name: 'Partitions' });
    await table.getByText('running').waitFor();
    await shown('session-processor');
    await post(system.url, event('ada', 192, 'PAGE_VIEW', { page: '/late' }));
    await shown('Amended a closed session');
    await shown('Bridged two sessions into one');
    await post(system.url, event('too-late', 60 * 40));
    await shown('Too late');
    const outcome = (name: string | RegExp) => page.getByRole('row').filter({ hasText: name });
    await outcome('Too late')
      .filter({ hasText: /0\.[1-9]\s*1$/ })
      .waitFor();
    await post(system.url, { userId: 'nobody' });
    await outcome(/^Refused: .* on arrival/).waitFor();
  });

  test('what is planted in any field is text, in every view', brief, async () => {
    const [closed] = await historyOf(MALLORY);
    const active = await get<{ sessionId: string }>(
      `${system.url}/api/sessions/active/${encodeURIComponent(MALLORY)}`,
    );
    for (const [path, text] of [
      ['/', 'mallory'],
      [`/sessions/${closed!.sessionId}`, '<script>'],
      [`/sessions/${active.body.sessionId}`, '<i>type</i>'],
      [`/users/${encodeURIComponent(MALLORY)}`, 'mallory'],
      ['/explore', PLANTED],
      [`/sessions/${encodeURIComponent(PLANTED)}`, PLANTED],
      ['/system', 'Partitions'],
    ] as const) {
      await open(path);
      await shown(text);
      const planted = await page.evaluate(() => (globalThis as { planted?: unknown }).planted);
      assert.equal(planted, undefined, path);
      assert.equal(await page.locator('img[src="x"], b, i, svg[onload], main script').count(), 0);
    }
  });

  test(
    'the keyboard reaches everything, sees where it is, and opens a session',
    brief,
    async () => {
      await open('/');
      await row('busy').waitFor();
      const focused = () =>
        page.evaluate(() => {
          const { document, getComputedStyle } = globalThis as unknown as {
            document: { activeElement: { textContent: string; tagName: string } };
            getComputedStyle: (element: object, part?: string) => { outlineStyle: string };
          };
          const element = document.activeElement;
          const parts = [undefined, '::after'].map((part) => getComputedStyle(element, part));
          return {
            text: element.textContent.trim(),
            tag: element.tagName,
            isSeen: parts.some(({ outlineStyle }) => outlineStyle !== 'none'),
          };
        });
      const seen: string[] = [];
      for (let steps = 0; steps < 40; steps++) {
        await page.keyboard.press('Tab');
        const { text, tag, isSeen } = await focused();
        if (tag === 'BODY') break;
        assert.ok(isSeen, `no focus to be seen on ${tag} ${text}`);
        seen.push(text || tag);
        if (text === 'busy') break;
      }
      assert.equal(seen[0], 'Skip to content');
      for (const name of ['Live', 'Explore', 'System', 'INPUT', 'Has a cart', 'Pause', 'busy']) {
        assert.ok(seen.includes(name), `${name} is not among ${seen}`);
      }
      await shown('Paused');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Session of busy' }).waitFor();
      await page.keyboard.press('Control+k');
      await page.keyboard.type('ada');
      await page.keyboard.press('Enter');
      await arrived('/users/ada');
    },
  );

  test('the keyboard skips to the content of a view, which stays where it is', brief, async () => {
    await open('/explore?range=7d');
    const firstOfContent = page.getByRole('button', { name: '1 h', exact: true });
    await firstOfContent.waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await arrived('/explore?range=7d#main');
    await page.locator('main:focus').waitFor();
    await page.keyboard.press('Tab');
    await page.locator('main button:focus').filter({ hasText: '1 h' }).waitFor();
    await page.getByRole('button', { name: '7 d', pressed: true }).waitFor();
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    test(
      `every view is accessible and fits, wide and narrow, in ${colorScheme}`,
      bound,
      async () => {
        const [, first] = await historyOf('ada');
        const active = await get<{ sessionId: string }>(`${system.url}/api/sessions/active/ada`);
        for (const width of [1280, 320]) {
          const viewport = { width, height: 800 };
          const other = await openPage(browser, { colorScheme, viewport });
          for (const [path, text] of [
            ['/', 'busy'],
            [`/sessions/${first!.sessionId}`, '14 min lull'],
            [`/sessions/${active.body.sessionId}`, 'Idle'],
            ['/sessions/none', 'not known'],
            ['/users/ada', 'History'],
            ['/explore', 'Event mix'],
            ['/explore?from=2026-01-01&to=2026-01-02', 'No session ended'],
            ['/system', 'What became of sessions'],
          ] as const) {
            await other.page.goto(`${system.url}${path}`);
            await other.page.getByText(text).filter({ visible: true }).first().waitFor();
            assert.deepEqual(await violationsOf(other.page), [], `${path} at ${width}`);
            await assertFits(other.page, `${path} at ${width}`);
          }
          const dark = colorScheme === 'dark';
          const paper = await other.page.evaluate(() => {
            const { document, getComputedStyle } = globalThis as unknown as {
              document: { body: object };
              getComputedStyle: (element: object) => { backgroundColor: string };
            };
            return getComputedStyle(document.body).backgroundColor;
          });
          const [red = 0] = paper.match(/\d+/g)!.map(Number);
          assert.equal(red < 128, dark, paper);
          assert.deepEqual(other.wrong, []);
          await other.page.context().close();
        }
      },
    );
  }

  test(
    'ten thousand live sessions are a list of which only what is in sight is drawn',
    bound,
    async () => {
      const crowd = Array.from({ length: 9000 }, (_, n) => event(`crowd-${n}`, (n % 280) / 10));
      assert.equal((await post(system.url, crowd)).status, 202);
      await open('/');
      await shown(/^9,0\d\d sessions$/);
      const count = async () => page.locator('.session-row').count();
      assert.ok((await count()) < 80, `${await count()} rows`);
      await page.keyboard.press('End');
      await page.locator('.session-row[aria-rowindex="9001"]').waitFor();
      assert.ok((await count()) < 80, `${await count()} rows`);
      await page.getByRole('button', { name: 'Has a cart' }).click();
      await row('ada').waitFor();
    },
  );

  test('nothing went wrong on the way, and nothing was asked of others', () => {
    assert.deepEqual(watched.wrong, []);
  });
});
