/** A canary made as a person makes it: through the form, signed with the operator's key in the page. */
import type { Browser } from 'playwright-core';
import { openPage, settled } from './browser.ts';
import type { RunningDemo } from './running-demo.ts';

/** @returns what the browser complained of */
export async function publishCanary(browser: Browser, demo: RunningDemo, percent = 30): Promise<readonly string[]> {
  const url = `${demo.url}/policies/new/canary?service=shop/catalog`;
  const { page, complaints } = await openPage(browser, url, { theme: 'light', width: 1_440 });
  await settled(page);
  await page.getByLabel('Share of the new version').fill(String(percent));
  await page.locator('input[type=file]').setInputFiles(demo.keyFiles);
  await page.getByRole('button', { name: /^Sign as/ }).click();
  await page.getByText('Signed and taken.').waitFor();
  await page.context().close();
  return complaints;
}
