/** What people do with the console, in a browser, against the demo's mesh. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DocumentDetail, Members } from '../../agent/console/shapes/mesh.ts';
import { buildConsole } from '../../scripts/console.ts';
import { chromiumPath, openBrowser, openPage, settled } from './browser.ts';
import { publishCanary } from './canary.ts';
import { RunningDemo } from './running-demo.ts';

const PATIENCE_MS = 60_000;

describe.skipIf(chromiumPath() === undefined)('the console of a running mesh', () => {
  let demo: RunningDemo;
  let browser: Browser;

  beforeAll(async () => {
    await buildConsole();
    demo = await RunningDemo.start();
    browser = await openBrowser();
  }, 300_000);

  afterAll(async () => {
    await browser?.close();
    await demo?.[Symbol.asyncDispose]();
  }, 60_000);

  const open = async (path: string): Promise<Page> => {
    const { page } = await openPage(browser, demo.url + path, { theme: 'light', width: 1_440 });
    page.setDefaultTimeout(PATIENCE_MS);
    await settled(page);
    return page;
  };

  test('a canary from the form, signed in the page, splits the calls of every node', async () => {
    expect(await publishCanary(browser, demo)).toEqual([]);
    await expect
      .poll(async () => (await demo.get<DocumentDetail>('/documents/HTTPRoute/shop/catalog')).document.nodesApplied, {
        timeout: PATIENCE_MS,
      })
      .toBe(3);
    const page = await open('/edges/shop/web/shop/catalog?method=GET&path=/');
    await page.getByText('30 % to shop/catalog:8080 subset v2').waitFor();
    await page.context().close();
  }, 180_000);

  test('the past is shown as it was, and not to be written in', async () => {
    const page = await open(`/policies/new/canary?service=shop/catalog&at=${new Date().toISOString()}`);
    await page.getByText('You look at the past. Go back to live to write.').waitFor();
    await page.context().close();
  }, 90_000);

  test('a node that is killed is told as missing, and its figures as nobody’s', async () => {
    const page = await open('/members');
    demo.mesh.agentOf('n3').program.child.kill('SIGKILL');
    await expect
      .poll(async () => (await demo.get<Members>('/members')).members.find(({ name }) => name === 'n3')?.state, {
        timeout: PATIENCE_MS,
      })
      .not.toBe('alive');
    await page.getByText(/did not answer: n3/).waitFor();
    await page.context().close();
  }, 180_000);
});
