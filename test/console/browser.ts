/** The system's Chromium, driven by playwright-core; what a page may not do is collected as it happens. */

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** @returns undefined where there is no Chromium; tests then say so and are skipped */
export function chromiumPath(): string | undefined {
  return [process.env.WEFT_CHROMIUM ?? '', ...PLACES].find((path) => path !== '' && existsSync(path));
}

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath()!,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
}

export interface Look {
  readonly theme: 'light' | 'dark';
  readonly width: number;
  /** The browser's clock stands at this instant. */
  readonly atMs?: number;
}

export interface Watched {
  readonly page: Page;
  /** Console errors, uncaught exceptions, refused by the content security policy, requests off origin. */
  readonly complaints: string[];
}

/** A person's browser: what its tabs keep is nobody else's. */
export function openContext(browser: Browser, { theme, width }: Omit<Look, 'atMs'>): Promise<BrowserContext> {
  return browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: theme,
    reducedMotion: 'reduce',
    timezoneId: 'UTC',
    locale: 'en-GB',
  });
}

export async function openPage(browser: Browser, url: string, look: Look): Promise<Watched> {
  return openTab(await openContext(browser, look), url, look.atMs);
}

export async function openTab(context: BrowserContext, url: string, atMs?: number): Promise<Watched> {
  const page = await context.newPage();
  if (atMs !== undefined) await page.clock.setFixedTime(atMs);
  const complaints: string[] = [];
  page.on('console', (message) => {
    // Answers that are errors on purpose are told by the page itself.
    const isAnswer = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !isAnswer) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== new URL(url).origin && protocol.startsWith('http')) complaints.push(`asked ${request.url()}`);
  });
  await page.goto(url);
  return { page, complaints };
}

/** The page has its heading and waits for nothing any more. */
export async function settled(page: Page): Promise<void> {
  await page.locator('main h1').first().waitFor();
  const busy = page.locator('[aria-busy="true"]');
  while ((await busy.count()) > 0) await busy.first().waitFor({ state: 'detached' });
}

export interface Finding {
  readonly id: string;
  readonly impact: string;
  readonly target: string;
}

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** What axe-core finds at WCAG 2.2 AA that is serious or critical. */
export async function seriousFindings(page: Page): Promise<readonly Finding[]> {
  await page.evaluate(axeSource());
  return page.evaluate<Finding[]>(`(async () => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
    const { violations } = await axe.run(document, { runOnly: { type: 'tag', values: tags } });
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, impact, nodes }) =>
        nodes.slice(0, 3).map(({ target, any }) => ({ id, impact, target: target.join(' ') + ' ' + (any[0]?.message ?? '') })));
  })()`);
}

let source: string | undefined;
function axeSource(): string {
  source ??= readFileSync(AXE, 'utf8');
  return source;
}
