/** The dashboard when the server goes, comes back, or wants a token. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Browser } from 'playwright-core';
import {
  hasBrowser,
  launchBrowser,
  NO_BROWSER,
  openPage,
  violationsOf,
} from '../support/browser.ts';
import { unless } from '../support/prerequisite.ts';
import {
  makeFolder,
  post,
  type RunningSystem,
  startSystem,
  untilReady,
} from '../support/running-system.ts';
import { event } from '../support/shop-story.ts';

const bound = { timeout: 120_000 };

suite('the dashboard', { ...bound, skip: unless(hasBrowser, NO_BROWSER) }, () => {
  let browser: Browser;
  before(async () => {
    browser = await launchBrowser();
  }, bound);
  after(() => browser?.close());

  test(
    'says that it shows old data when the server is killed, and goes on after',
    bound,
    async (t) => {
      const folder = makeFolder('dashboard-killed');
      const flags = ['--no-simulate', '--partitions', '1', '--data', folder.path];
      const systems: RunningSystem[] = [];
      t.after(async () => {
        await systems.at(-1)?.end('SIGKILL');
        folder.remove();
      });
      systems.push(await startSystem(...flags));
      const { url } = systems[0]!;
      await untilReady(url);
      await post(url, event('before', 1));
      const { page, wrong } = await openPage(browser);
      await page.goto(url);
      const before = page.getByRole('link', { name: 'before' });
      await before.waitFor();
      await systems[0]!.end('SIGKILL');
      await page.getByText('No connection.').waitFor();
      await page.getByText(/You see what was there at \d/).waitFor();
      assert.equal(await before.count(), 1, 'what was there is still shown');
      assert.deepEqual(await violationsOf(page), []);

      // Another view, of which nothing has been loaded yet, says so, and loads by itself later.
      await before.click();
      await page.getByText('This could not be loaded').waitFor();
      systems.push(await startSystem(...flags, '--port', new URL(url).port));
      await untilReady(url);
      await page.getByRole('heading', { name: 'Session of before' }).waitFor();
      await page.getByText('No connection.').waitFor({ state: 'detached' });
      await page.getByRole('link', { name: 'Live', exact: true }).click();
      await before.waitFor();
      await post(url, event('after', 0));
      await page.getByRole('link', { name: 'after' }).waitFor();
      assert.deepEqual(wrong, []);
    },
  );

  test('asks for the token, keeps it in the tab, and streams with it', bound, async (t) => {
    const folder = makeFolder('dashboard-token');
    const token = 'a token with spaces';
    const flags = ['--no-simulate', '--partitions', '1', '--data', folder.path];
    const system = await startSystem(...flags, '--token', token);
    t.after(async () => {
      await system.end('SIGKILL');
      folder.remove();
    });
    await untilReady(system.url);
    const send = (userId: string) =>
      fetch(`${system.url}/api/events`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: JSON.stringify(event(userId, 0)),
      });
    assert.equal((await send('first')).status, 202);
    const { page, wrong } = await openPage(browser);
    await page.goto(system.url);
    await page.getByRole('heading', { name: 'A token is needed' }).waitFor();
    assert.deepEqual(await violationsOf(page), []);
    await page.getByLabel('Token').fill('wrong');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('The token was refused').waitFor();
    await page.getByLabel('Token').fill(token);
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'first' }).waitFor();
    await send('second');
    await page.getByRole('link', { name: 'second' }).waitFor();
    await page.reload();
    await page.getByRole('link', { name: 'second' }).waitFor();
    // It is in this tab alone.
    const other = await openPage(browser);
    await other.page.goto(system.url);
    await other.page.getByRole('heading', { name: 'A token is needed' }).waitFor();
    assert.deepEqual([...wrong, ...other.wrong], []);
  });

  test('says what is old, since when and why, while a part does not answer', bound, async (t) => {
    const folder = makeFolder('dashboard-parts');
    const flags = ['--no-simulate', '--partitions', '1', '--data', folder.path];
    const { url, end } = await startSystem(...flags);
    t.after(async () => {
      await end('SIGKILL');
      folder.remove();
    });
    await untilReady(url);
    await post(url, event('early', 1));
    const { page, wrong } = await openPage(browser);
    const away = (message: string) => ({ status: 503, json: { error: { code: 'away', message } } });
    const said = (text: RegExp, state: 'visible' | 'detached' = 'visible') =>
      page.locator('.notice').getByText(text).waitFor({ state });
    const early = page.getByRole('link', { name: 'early' });

    // Refused from the start: there is a list, and that it does not change is said.
    await page.route('**/api/stream/**', (route) => route.fulfill(away('too many read')));
    await page.goto(url);
    await early.waitFor();
    await said(/^The list of live sessions is shown as of \d+:\d\d:\d\d, because too many read;/);
    assert.deepEqual(await violationsOf(page), []);
    await page.unroute('**/api/stream/**');
    await said(/list of live sessions/, 'detached');
    await post(url, event('later', 0));
    await page.getByRole('link', { name: 'later' }).waitFor();

    await page.route('**/api/system', (route) => route.fulfill(away('nobody knows')));
    await said(/^The state of the system is shown as of \d+:\d\d:\d\d, because nobody knows;/);
    await page.unroute('**/api/system');
    await said(/state of the system/, 'detached');

    // Changes that come meanwhile are not told: they are asked for afterwards.
    await page.route('**/api/system', async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ json: { ...(await answer.json()), activeSessions: null } });
    });
    await said(/^The list of live sessions is shown as of .*, because the live cache is away;/);
    const listed = page.waitForRequest('**/api/sessions/active?*');
    await page.unroute('**/api/system');
    await listed;
    await said(/list of live sessions/, 'detached');

    await page.route('**/health', (route) => route.fulfill({ status: 502, body: 'a proxy' }));
    await page.getByRole('link', { name: 'System', exact: true }).click();
    await page.getByText('the answer was 502').waitFor();
    await page.unroute('**/health');
    await page.getByText('session-processor').waitFor();
    assert.deepEqual(wrong, []);
  });
});
