/** Documents made as a person makes them: in a form, signed with the operator's key in the page. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { openContext, openTab, settled } from './browser.ts';
import type { RunningDemo } from './running-demo.ts';

/**
 * @param path of a form
 * @returns what the browser complained of
 */
export async function publish(
  context: BrowserContext,
  demo: RunningDemo,
  path: string,
  fill: (page: Page) => Promise<void>,
): Promise<readonly string[]> {
  const { page, complaints } = await openTab(context, demo.url + path);
  await settled(page);
  await fill(page);
  await page.locator('input[type=file]').setInputFiles(demo.keyFiles);
  await page.getByRole('button', { name: /^Sign as/ }).click();
  await page.getByText('Signed and taken.').waitFor();
  await page.close();
  return complaints;
}

export function publishCanary(context: BrowserContext, demo: RunningDemo, percent: number): Promise<readonly string[]> {
  return publish(context, demo, '/policies/new/canary?service=shop/catalog', (page) =>
    page.getByLabel('Share of the new version').fill(String(percent)),
  );
}

const LIMIT = `apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: payments-time, namespace: shop }
spec:
  target: { services: [payments] }
  timeouts: { request: 300ms }
`;

/** Most calls to payments end when their time is up: a delay that callers wait for, and then a limit. */
export async function publishTrouble(context: BrowserContext, demo: RunningDemo): Promise<readonly string[]> {
  const form = '/policies/new/fault?service=shop/payments';
  const delay = await publish(context, demo, form, async (page) => {
    await page.getByLabel('Delay', { exact: true }).fill('1s');
    await page.getByLabel('Share delayed').fill('60');
  });
  const limit = await publish(context, demo, form, (page) => page.getByLabel('YAML').fill(LIMIT));
  return [...delay, ...limit];
}

/** For pictures: in a browser of its own. */
export async function publishAnyCanary(browser: Browser, demo: RunningDemo): Promise<void> {
  await using context = await openContext(browser, { theme: 'light', width: 1_440 });
  await publishCanary(context, demo, 30);
}
