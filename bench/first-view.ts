/**
 * The dashboard's first view in a browser that has never seen it, from a system that has just been
 * started on a full history: `node bench/first-view.ts --sessions 1000000`. Filling takes minutes.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openEmbeddedHistory } from '../src/history/pglite.ts';
import { launchBrowser, openPage } from '../test/support/browser.ts';
import { startSystem, untilReady } from '../test/support/running-system.ts';
import { makeHistorySession } from './history-session.ts';

const { values } = parseArgs({
  options: {
    sessions: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '5' },
  },
});
const SESSIONS = Number(values.sessions);
const BATCH = 1000;
/** They end within the last week, the newest now. */
const SPAN_MS = 7 * 86_400_000;
/** Each with what is there once its figures are. */
const VIEWS = [
  ['/', 'h1'],
  ['/explore', 'canvas'],
  ['/explore?range=7d', 'canvas'],
] as const;

const folder = await mkdtemp(join(tmpdir(), 'lull-bench-first-view-'));
try {
  await fill();
  const browser = await launchBrowser();
  for (const [path, sign] of VIEWS) {
    for (let round = 0; round < Number(values.rounds); round++) {
      const system = await startSystem('--no-simulate', '--data', folder);
      await untilReady(system.url);
      const { page } = await openPage(browser);
      const startMs = performance.now();
      await page.goto(`${system.url}${path}`, { waitUntil: 'commit' });
      await page.locator(sign).first().waitFor();
      await page.locator('[aria-label=Loading]').first().waitFor({ state: 'detached' });
      const seenMs = performance.now() - startMs;
      const paintMs = await page.evaluate(
        () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN,
      );
      const told = [seenMs, paintMs].map((ms) => `${Math.round(ms)} ms`);
      console.log(`${path}: all there after ${told[0]}, first paint after ${told[1]}`);
      await page.context().close();
      await system.end('SIGTERM');
    }
  }
  await browser.close();
} finally {
  await rm(folder, { recursive: true });
}

async function fill(): Promise<void> {
  const history = await openEmbeddedHistory({ directory: join(folder, 'history') });
  const endMs = Date.now();
  for (let first = 0; first < SESSIONS; first += BATCH) {
    const sessions = Array.from({ length: BATCH }, (_, index) => {
      const number = first + index;
      return makeHistorySession(number, Math.floor(endMs - SPAN_MS * (1 - number / SESSIONS)));
    });
    await history.apply(sessions, []);
  }
  await history.close();
}
