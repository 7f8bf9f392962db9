/**
 * Every page in a real browser: heading, no complaint of the browser, nothing serious for axe. In both themes, all states and
 * narrow with WEFT_FULL=1, which takes a quarter of an hour; without, only some pages are looked at in more ways than one.
 */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildConsole } from '../../scripts/console.ts';
import { serveFake } from '../agent/console/fake/serve.ts';
import { chromiumPath, openBrowser, openContext, openPage, openTab, seriousFindings, settled } from './browser.ts';
import { PLACES } from './places.ts';
import { NOW_MS } from './staged-answers.ts';
import { StagedNode, type State } from './staged-node.ts';

/** States that a page has apart from `whole`; in one theme, as colours do not hang on them. */
const OTHERS: readonly State[] = ['partial', 'empty', 'error', 'forbidden'];
/** What a state must say somewhere on a page. */
const SAID: Partial<Record<State, RegExp>> = {
  partial: /node-4/,
  error: /the node is starting/,
  forbidden: /your roles do not allow it|You may not see/i,
};

const isFull = process.env.WEFT_FULL === '1';
const OFTEN: ReadonlySet<string> = new Set(['topology', 'edge']);
const SOME = PLACES.filter(([name]) => isFull || OFTEN.has(name));

describe.skipIf(chromiumPath() === undefined)('the console in Chromium', () => {
  let node: StagedNode;
  let browser: Browser;

  let directory: string;

  beforeAll(async () => {
    directory = await buildConsole();
    node = await StagedNode.start(directory);
    browser = await openBrowser();
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await node?.[Symbol.asyncDispose]();
  });

  const sound = async (path: string, theme: 'light' | 'dark', state: State, width = 1_440) => {
    node.state = state;
    const { page, complaints } = await openPage(browser, node.url + path, { theme, width, atMs: NOW_MS });
    try {
      await settled(page);
      const said = SAID[state];
      if (said !== undefined && !path.startsWith('/policies/new'))
        await page.getByText(said).filter({ visible: true }).first().waitFor();
      expect(await page.locator('h1').count(), 'headings of first rank').toBe(1);
      expect(await seriousFindings(page)).toEqual([]);
      expect(complaints).toEqual([]);
    } finally {
      await page.context().close();
    }
  };

  const light = PLACES.map(([name, path]) => [name, 'light', path] as const);
  const dark = SOME.map(([name, path]) => [name, 'dark', path] as const);
  test.each([...light, ...dark])(
    '%s is sound in the %s theme',
    (_name, theme, path) => sound(path, theme, 'whole'),
    60_000,
  );

  test.each(SOME)(
    '%s is sound when it shows the past',
    (_name, path) => sound(`${path}${path.includes('?') ? '&' : '?'}at=${NOW_MS - 600_000}`, 'light', 'whole'),
    60_000,
  );

  test.each(OTHERS.flatMap((state) => SOME.map(([name, path]) => [name, state, path] as const)))(
    '%s says what it cannot show: %s',
    (_name, state, path) => sound(path, 'light', state),
    60_000,
  );

  test.each(SOME)('%s fits a narrow screen', async (_name, path) => {
    node.state = 'whole';
    const { page } = await openPage(browser, node.url + path, { theme: 'light', width: 640, atMs: NOW_MS });
    await settled(page);
    const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
    expect(overflow).toBeLessThanOrEqual(0);
    await page.context().close();
  });

  test("columns and a range of one's own are chosen, are in the address, and stay", async () => {
    node.state = 'whole';
    const { page, complaints } = await openPage(browser, `${node.url}/services`, {
      theme: 'light',
      width: 1_440,
      atMs: NOW_MS,
    });
    await settled(page);
    const heads = page.getByRole('table').first().getByRole('columnheader');
    const before = await heads.allInnerTexts();
    await page.getByRole('button', { name: 'Columns' }).first().click();
    await page.getByRole('menuitemcheckbox', { name: 'p99' }).click();
    await page.keyboard.press('Escape');
    expect((await heads.allInnerTexts()).length).toBe(before.length - 1);
    expect(new URL(page.url()).searchParams.get('hide')).toMatch(/^\w+\.p99$/);
    await page.goto(`${node.url}/services`);
    await settled(page);
    expect((await heads.allInnerTexts()).length).toBe(before.length - 1);
    await page.getByTitle('Time range').click();
    expect(await seriousFindings(page)).toEqual([]);
    const own = page.getByRole('form', { name: 'From and to' });
    await own.getByLabel('To').fill('2026-09-21T15:00:00');
    await own.getByRole('button', { name: 'Show' }).click();
    await own.getByRole('alert').getByText('it is not that late yet').waitFor();
    await own.getByLabel('From').fill('2026-09-21T13:00:00');
    await own.getByLabel('To').fill('2026-09-21T13:40:00');
    await own.getByRole('button', { name: 'Show' }).click();
    await page.getByText('13:00 to 13:40:00').waitFor();
    const { searchParams } = new URL(page.url());
    expect([searchParams.get('t'), searchParams.get('at')]).toEqual(['40m', '2026-09-21T13:40:00Z']);
    expect(complaints).toEqual([]);
    await page.context().close();
  }, 60_000);

  test.each([
    ['layout', /\/assets\/(layout-worker|placing)-/],
    ['drawing', /\/assets\/scene-/],
  ])(
    'a graph whose code of the %s does not load says so, and is there after Retry',
    async (part, code) => {
      node.state = 'whole';
      const context = await openContext(browser, { theme: 'light', width: 1_440 });
      await context.route(code, (route) => route.abort());
      const { page, complaints } = await openTab(context, `${node.url}/`, NOW_MS);
      const graph = page.locator('.graph');
      await graph.getByRole('alert').getByText(`the code of its ${part} could not be loaded`).waitFor();
      expect(await page.locator('.node-card').filter({ visible: true }).count()).toBe(0);
      expect(await seriousFindings(page)).toEqual([]);
      await context.unroute(code);
      await graph.getByRole('button', { name: 'Retry' }).click();
      await page.locator('.graph[aria-busy="false"] .node-card').first().waitFor();
      expect(await graph.getByRole('alert').count()).toBe(0);
      expect(await page.locator('.graph-canvas canvas').count()).toBeGreaterThan(0);
      expect(complaints).toEqual([]);
      await context.close();
    },
    60_000,
  );

  test('of 400 services one sees namespaces, opens one in place by keys or pointer, and can have all', async () => {
    const mesh = { services: 400, edges: 1_600, namespaces: 20, seed: 5 };
    const many = await serveFake({ ...mesh, dist: directory, tickMs: 2_000, nowMs: NOW_MS });
    const { page, complaints } = await openPage(browser, `${many.url}/`, { theme: 'light', width: 1_440 });
    try {
      const cards = page.locator('.node-card');
      const inUrl = (text: string) => page.waitForURL((url) => url.search.includes(text));
      await page.locator('.ns-card').nth(19).waitFor();
      expect(page.workers().filter((worker) => worker.url().includes('/assets/layout-worker'))).toHaveLength(1);
      await page.locator('[data-id="ns:shop"]').dblclick({ position: { x: 20, y: 10 } });
      await inUrl('open=shop');
      await cards.nth(19).waitFor();
      expect([await cards.count(), await page.locator('.ns-card').count()]).toEqual([20, 19]);
      const button = page.getByRole('button', { name: 'Open in the graph' });
      expect(await button.getAttribute('aria-pressed')).toBe('true');
      expect(await seriousFindings(page)).toEqual([]);
      await page.locator('[data-id="ns:cart"]').focus();
      await page.keyboard.press('Enter');
      await button.click();
      await inUrl('open=shop,cart');
      await cards.nth(39).waitFor();
      await page.keyboard.press('Escape'); // the panel, then what is open, the last first
      await button.waitFor({ state: 'detached' });
      for (const name of ['cart', 'shop']) {
        await page.keyboard.press('Escape');
        await cards.locator(`xpath=self::*[starts-with(@data-id, "${name}/")]`).first().waitFor({ state: 'detached' });
      }
      await page.getByRole('button', { name: 'Tidy' }).click();
      await page.getByText('Laid out anew').waitFor();
      await page.getByRole('button', { name: 'Show all' }).click();
      await page.locator('.graph.is-all canvas').first().waitFor({ state: 'attached' });
      expect(await page.locator('.ns-card').count()).toBe(0);
      await page.getByRole('button', { name: 'Show all', pressed: true }).click();
      await page.locator('.ns-card').nth(19).waitFor();
      expect(complaints).toEqual([]);
      await page.evaluate('localStorage.clear()');
      await page.route('**/layout-worker*', (route) => route.abort());
      await page.reload();
      await page.locator('.ns-card').nth(19).waitFor(); // laid out by the page's own thread
      expect(page.workers()).toEqual([]);
    } finally {
      await page.context().close();
      await many.close();
    }
  }, 120_000);
});
