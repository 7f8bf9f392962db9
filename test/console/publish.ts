/** Documents made as a person makes them: in a form, signed with the operator's key in the page. */
import type { Browser, Page } from 'playwright-core';
import { openPage, settled } from './browser.ts';
import type { RunningDemo } from './running-demo.ts';

/**
 * @param path of a form
 * @returns what the browser complained of
 */
export async function publish(
  browser: Browser,
  demo: RunningDemo,
  path: string,
  fill: (page: Page) => Promise<void>,
): Promise<readonly string[]> {
  const { page, complaints } = await openPage(browser, demo.url + path, { theme: 'light', width: 1_440 });
  await settled(page);
  await fill(page);
  await page.locator('input[type=file]').setInputFiles(demo.keyFiles);
  await page.getByRole('button', { name: /^Sign as/ }).click();
  await page.getByText('Signed and taken.').waitFor();
  await page.context().close();
  return complaints;
}

export function publishCanary(browser: Browser, demo: RunningDemo, percent = 30): Promise<readonly string[]> {
  return publish(browser, demo, '/policies/new/canary?service=shop/catalog', (page) =>
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

/** Most calls to payments end when their time is up: a limit that nobody felt, and then a delay. */
export async function publishTrouble(browser: Browser, demo: RunningDemo): Promise<readonly string[]> {
  const form = '/policies/new/fault?service=shop/payments';
  const limit = await publish(browser, demo, form, (page) => page.getByLabel('YAML').fill(LIMIT));
  const delay = await publish(browser, demo, form, async (page) => {
    await page.getByLabel('Delay', { exact: true }).fill('1s');
    await page.getByLabel('Share delayed').fill('60');
  });
  return [...limit, ...delay];
}
