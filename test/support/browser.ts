/** A real Chromium for end-to-end tests, and what they ask of a page. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import axe from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const EXECUTABLE = [
  process.env['CHROMIUM'] ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== '' && existsSync(path));

export const hasBrowser = EXECUTABLE !== undefined;
export const NO_BROWSER = 'no Chromium here: apt-get install chromium, or name one in CHROMIUM';

export function launchBrowser(): Promise<Browser> {
  // In containers the browser's own sandbox can't be set up.
  return chromium.launch({ executablePath: EXECUTABLE!, args: ['--no-sandbox'] });
}

/** A page whose errors fail the test that asks for them. */
export interface WatchedPage {
  readonly page: Page;
  /** What was thrown, blocked by the policy, or asked of another origin. */
  readonly wrong: string[];
}

export async function openPage(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    ...options,
  });
  const page = await context.newPage();
  // A wait that never ends would hide which one it was.
  page.setDefaultTimeout(20_000);
  const wrong: string[] = [];
  page.on('pageerror', (error) => wrong.push(error.message));
  page.on('dialog', (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    if (/Content Security Policy|TrustedHTML|Trusted Type/i.test(message.text())) {
      wrong.push(message.text());
    }
  });
  page.on('request', (request) => {
    if (!/^http:\/\/127\.0\.0\.1:/.test(request.url())) wrong.push(`asked ${request.url()}`);
  });
  // Set this way, the page's policy does not forbid it.
  await page.addInitScript(axe.source);
  return { page, wrong };
}

/** Rules of WCAG 2.2, levels A and AA, that the page breaks. */
export async function violationsOf(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const axe = (globalThis as unknown as { axe: typeof import('axe-core') }).axe;
    const { violations } = await axe.run({
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    });
    return violations.flatMap(({ id, nodes }) =>
      nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`),
    );
  });
}

/** Nothing of the page is beyond its right edge. */
export async function assertFits(page: Page, what: string): Promise<void> {
  const beyond = await page.evaluate(() => {
    const { document, innerWidth } = globalThis as unknown as {
      document: { documentElement: { scrollWidth: number } };
      innerWidth: number;
    };
    return document.documentElement.scrollWidth - innerWidth;
  });
  assert.ok(beyond <= 0, `${what} is ${beyond} px wider than the window`);
}
