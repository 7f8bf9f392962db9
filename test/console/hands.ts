/** Somebody at a page: with a pointer, whose clicks are counted, or with nothing but keys. */
import type { Locator, Page } from 'playwright-core';

export class Pointer {
  clicks = 0;

  async click(target: Locator): Promise<void> {
    this.clicks++;
    await target.click();
  }
}

/** More than any page has before what is looked for. */
const MAX_TABS = 120;
/** As a screen reader would call it, roughly: what it is labelled, else what is in it. */
const FOCUSED = `(() => {
  const { activeElement: at } = document;
  return at === null || at === document.body ? '' : (at.getAttribute('aria-label') ?? at.textContent).trim();
})()`;

/** Presses Tab until what has the focus is called so. @throws Error with what had the focus on the way */
export async function tabTo(page: Page, name: RegExp): Promise<void> {
  const passed: string[] = [];
  for (let tabs = 0; tabs < MAX_TABS; tabs++) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate<string>(FOCUSED);
    if (name.test(focused)) return;
    passed.push(focused.slice(0, 40));
  }
  throw new Error(`no ${name} in ${MAX_TABS} presses of Tab; there were ${passed.join(' | ')}`);
}
