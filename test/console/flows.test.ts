/**
 * What people do with the console, in a browser, against the demo's mesh: one mesh for all, which a canary, a fault, a dead node
 * and a dead agent change one after the other.
 */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { DocumentDetail, Logs, Members } from '../../agent/console/shapes/mesh.ts';
import type { Topology } from '../../agent/console/shapes/topology.ts';
import { rate, share } from '../../agent/console/web/format/numbers.ts';
import { buildConsole } from '../../scripts/console.ts';
import { chromiumPath, openBrowser, openContext, openTab, seriousFindings, settled } from './browser.ts';
import { Pointer, tabTo } from './hands.ts';
import { publishCanary, publishTrouble } from './publish.ts';
import { RunningDemo } from './running-demo.ts';

const PATIENCE_MS = 60_000;
/** Of an agent, where the machine has much else to do. */
const START_MS = 150_000;
const POLLING = { timeout: PATIENCE_MS, interval: 250 };
/** Somebody woken at night has the answer by then. */
const ANSWER_MS = 10_000;
const STEP_MS = 10_000;
/** A tenth of what is asked for, both ways: some 200 requests are drawn in a step. */
const NEAR_RATIO = 0.1;
const TABS = 10;

/** What was so, and when. */
interface Moment {
  readonly atMs: number;
  /** In the words of the page. */
  readonly versions: string;
  readonly rate: string;
  readonly newShare: number;
}

describe.skipIf(chromiumPath() === undefined)('the console of a running mesh', () => {
  let demo: RunningDemo;
  let browser: Browser;
  let context: BrowserContext;
  /** What each page made the browser complain of. */
  const told: (readonly string[])[] = [];
  let before: Moment;
  /** Far from what the balancer chose before. */
  let asked: number;

  beforeAll(async () => {
    await buildConsole();
    demo = await RunningDemo.start();
    browser = await openBrowser();
    context = await openContext(browser, { theme: 'light', width: 1_440 });
  }, 300_000);

  afterAll(async () => {
    await browser?.close();
    await demo?.[Symbol.asyncDispose]();
  }, 60_000);

  /** What a failed test left open would look and listen beside the others. */
  afterEach(async () => {
    for (const page of context.pages()) await page.close();
  });

  const open = async (path: string): Promise<Page> => {
    const { page, complaints } = await openTab(context, demo.url + path);
    told.push(complaints);
    page.setDefaultTimeout(PATIENCE_MS);
    await settled(page);
    return page;
  };

  /** Of the last whole step, as soon as all nodes have told of it. */
  const moment = async (): Promise<Moment> => {
    let seen: Topology | undefined;
    const look = async (): Promise<number> => {
      seen = await demo.get<Topology>(`/topology?view=service&rangeMs=${STEP_MS}`);
      const isTold = seen.asOfMs % STEP_MS > 1_000 && seen.coverage.missing.length === 0;
      return isTold ? catalogIn(seen).versions.filter(({ shareRatio }) => shareRatio !== null).length : 0;
    };
    await expect.poll(look, POLLING).toBe(2);
    const { versions, requestsPerSec } = catalogIn(seen!);
    return {
      atMs: seen!.asOfMs,
      versions: plain(versions.map(({ name, shareRatio }) => `${name} ${share(shareRatio)}`).join(', ')),
      rate: plain(rate(requestsPerSec)),
      newShare: versions.find(({ name }) => name === 'v2')?.shareRatio ?? 0,
    };
  };

  test('a canary from the form, signed in the page, splits the calls of every node', async () => {
    before = await moment();
    asked = before.newShare < 0.5 ? 80 : 20;
    expect(await publishCanary(context, demo, asked)).toEqual([]);
    expect(await publishTrouble(context, demo)).toEqual([]); // for the questions below; its figures come meanwhile
    await expect
      .poll(
        async () => (await demo.get<DocumentDetail>('/documents/HTTPRoute/shop/catalog')).document.nodesApplied,
        POLLING,
      )
      .toBe(3);
    const page = await open('/edges/shop/web/shop/catalog?method=GET&path=/');
    await page.getByText(`${asked} % to shop/catalog:8080 subset v2`).waitFor();
    await page.close();
  }, 180_000);

  test('ten tabs of one browser share one stream', async () => {
    const paths = ['/', '/services', '/services/shop/cart', '/events', '/policies', '/identities', '/members'];
    const tabs = await Promise.all([...paths, ...['n1', 'n2', 'n3'].map((node) => `/members/${node}`)].map(open));
    expect(tabs.length).toBe(TABS);
    for (const tab of tabs) await liveButton(tab).waitFor();
    await expect.poll(() => demo.streams(), POLLING).toBe(1);
    await Promise.all(tabs.map((tab) => tab.close()));
    await expect.poll(() => demo.streams(), POLLING).toBe(0);
  }, 120_000);

  test('keys alone lead from the first page to a service, an edge, a trace and a policy', async () => {
    const page = await open('/');
    const { keyboard } = page;
    await keyboard.press('Control+k');
    await keyboard.type('shop/cart');
    await page.getByRole('option', { name: /^shop\/cart service/, selected: true }).waitFor();
    await keyboard.press('Enter');
    await page.waitForURL('**/services/shop/cart');
    await page.goBack();
    await cardOf(page, 'cart').waitFor();
    await tabTo(page, /^cart/);
    await keyboard.press('Enter');
    await page.waitForURL('**/?sel=shop/cart');
    await keyboard.press('Shift+Enter');
    await page.waitForURL('**/services/shop/cart');
    await page.getByRole('link', { name: 'Explain a request' }).waitFor();
    await tabTo(page, /^Explain a request/);
    await keyboard.press('Enter');
    await page.waitForURL('**/edges/shop/web/shop/cart');
    await page.getByRole('region', { name: 'From caller to endpoint' }).waitFor();
    await keyboard.press('g');
    await keyboard.press('p');
    await page.getByRole('link', { name: 'shop/catalog', exact: true }).waitFor();
    await tabTo(page, /^shop\/catalog$/);
    await keyboard.press('Enter');
    await page.waitForURL('**/policies/HTTPRoute/shop/catalog');
    await page.getByRole('heading', { name: 'HTTPRoute shop/catalog' }).waitFor();
    await keyboard.press('g');
    await keyboard.press('c');
    await page.getByRole('table').getByRole('link').first().waitFor();
    await tabTo(page, /^(GET|POST)\b/);
    await keyboard.press('Enter');
    await page.waitForURL(/\/traces\/[0-9a-f]{32}/);
    await page.close();
  }, 120_000);

  test('lines of logs say who asked what of whom, and lead to their traces', async () => {
    const q = encodeURIComponent('to:shop/catalog status:200'); // of all there are, 200 lines are told, and what fails is more
    await expect
      .poll(async () => (await demo.get<Logs>(`/logs?rangeMs=300000&q=${q}`)).logs.length, POLLING)
      .toBeGreaterThan(1);
    const page = await open(`/logs?t=5m&q=${q}`);
    const line = page.getByRole('row', { name: /GET \/items shop\/web → shop\/catalog 200/ }).first();
    await line.waitFor();
    const ids = await page.getByRole('row').getByRole('link').allTextContents();
    expect(new Set(ids).size).toBeGreaterThan(1);
    await line.getByRole('link').click();
    await page.waitForURL(/\/traces\/[0-9a-f]{32}/);
    await page.close();
  }, 60_000);

  test('the graph shows both versions of the canary, with the share that was asked for', async () => {
    const page = await open('/?t=10s');
    await expect.poll(() => newShareOn(page), POLLING).toSatisfy(isNear);
    await cardOf(page, 'catalog').click();
    await page.getByRole('img', { name: /^v1 \d.* %, v2 \d.* %$/ }).waitFor();
    await page.getByRole('button', { name: 'Version', exact: true }).click();
    await cardOf(page, 'catalog@v2').waitFor();
    await page.getByRole('button', { name: 'As table' }).click();
    const called = (version: string) =>
      page.getByRole('table', { name: 'edges' }).getByRole('row', { name: `shop/web@v1 shop/catalog@${version}` });
    const newShare = async (): Promise<number> => {
      const [v1, v2] = [await perSecond(called('v1')), await perSecond(called('v2'))];
      return v2 / (v1 + v2);
    };
    await expect.poll(newShare, POLLING).toSatisfy(isNear);
    await page.close();
  }, 120_000);

  describe('each question has its answer in few clicks, from the first page on:', () => {
    const problem = (page: Page) => page.getByRole('article').filter({ hasText: 'payments shop' });
    /** The first page, once it could know. */
    const start = async (): Promise<{ page: Page; pointer: Pointer }> => {
      const isKnown = async () => {
        const { problems } = await demo.get<Topology>('/topology?view=service');
        return problems.some(({ service, after }) => service === 'shop/payments' && after !== null);
      };
      await expect.poll(isKnown, POLLING).toBe(true);
      const page = await open('/');
      page.setDefaultTimeout(ANSWER_MS);
      return { page, pointer: new Pointer() };
    };

    test('what is broken', async () => {
      const { page, pointer } = await start();
      await page.getByRole('heading', { level: 1, name: /^\d+ problems?, felt by \d+ of \d+ services$/ }).waitFor();
      const card = page.getByRole('article').first();
      await card.getByRole('button', { name: 'payments shop' }).waitFor();
      await card.getByText(/^[\d.]+\s% failing$/).waitFor();
      await card.getByText('Only reason deadline-exceeded.').waitFor();
      expect(pointer.clicks).toBe(0);
      await page.close();
    }, 90_000);

    test('who is affected', async () => {
      const { page, pointer } = await start();
      await problem(page).getByRole('listitem').filter({ hasText: /^web/ }).waitFor();
      await problem(page)
        .getByRole('listitem')
        .filter({ hasText: /^client/ })
        .waitFor();
      await pointer.click(problem(page).getByRole('button', { name: 'Felt by' }));
      await expect.poll(() => litOn(page)).toEqual(['shop/client', 'shop/payments', 'shop/web']);
      expect(pointer.clicks).toBeLessThanOrEqual(1);
      await page.close();
    }, 90_000);

    test('what changed', async () => {
      const { page, pointer } = await start();
      const began = problem(page).getByRole('link', { name: /^Began .* after TrafficPolicy shop\/payments-time/ });
      await pointer.click(began);
      await page.waitForURL('**/events?around=*');
      await page.getByRole('list', { name: 'Events' }).getByText('TrafficPolicy shop/payments-time').first().waitFor();
      expect(pointer.clicks).toBeLessThanOrEqual(1);
      await page.close();
    }, 90_000);

    test('where does this request go, and why', async () => {
      const { page, pointer } = await start();
      await pointer.click(problem(page).getByRole('link', { name: 'Open payments' }));
      await pointer.click(page.getByRole('link', { name: 'Explain a request' }));
      const steps = page.getByRole('region', { name: 'From caller to endpoint' });
      await expect.poll(() => steps.getByRole('listitem').count(), { timeout: ANSWER_MS }).toBe(9);
      await steps.getByRole('img', { name: /Allowed/ }).waitFor();
      await steps
        .getByRole('listitem')
        .filter({ hasText: 'Limits' })
        .getByText(/^fault: .* of delay/)
        .waitFor();
      await steps.getByRole('link', { name: /^TrafficPolicy payments-time/ }).waitFor();
      expect(pointer.clicks).toBeLessThanOrEqual(2);
      await page.close();
    }, 90_000);

    test('is it safe to change', async () => {
      const { page, pointer } = await start();
      await pointer.click(problem(page).getByRole('link', { name: 'Open payments' }));
      await pointer.click(page.getByRole('link', { name: 'New policy' }));
      const review = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Review' }) });
      for (const check of ['Valid', 'Differs', 'Affects', 'Nodes', 'Undo'])
        await review
          .getByRole('listitem')
          .filter({ hasText: new RegExp(`^${check}`) })
          .waitFor();
      await review.getByText('3 of 3 nodes ready').waitFor();
      await review.getByText('weft undo HTTPRoute payments -n shop').waitFor();
      expect(pointer.clicks).toBeLessThanOrEqual(2);
      await page.close();
    }, 90_000);
  });

  test('a document is deleted as one is published, and the console of another node shows it', async () => {
    const path = '/policies/TrafficPolicy/shop/payments-time';
    const { page: other, complaints } = await openTab(context, demo.consoleOf('n2') + path);
    told.push(complaints);
    await other.getByText('Applied on 3 of 3 nodes').waitFor({ timeout: PATIENCE_MS });
    const page = await open(path);
    await page.getByRole('link', { name: 'Delete' }).click();
    const review = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Review' }) });
    await review.getByText('It is in force, and can go').waitFor();
    await review.getByText('request: 300ms').first().waitFor(); // what goes is shown
    await review
      .getByRole('listitem')
      .filter({ hasText: /^Affects/ })
      .getByRole('link', { name: 'shop/web' })
      .waitFor();
    await review.getByRole('button', { name: 'Copy weft delete' }).waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await page.locator('input[type=file]').setInputFiles(demo.keyFiles);
    await page.getByRole('button', { name: /^Sign the deletion as/ }).click();
    await page.getByText('Signed and taken.').waitFor();
    await other.getByText('Deleted', { exact: true }).waitFor({ timeout: ANSWER_MS });
    await Promise.all([page, other].map((one) => one.close()));
  }, 120_000);

  test('pause holds every figure still, and Live lets them move again', async () => {
    const [page, other] = await Promise.all([open('/?t=10s'), open('/?t=10s')]);
    await page.getByRole('button', { name: /^Live/ }).click();
    const held = await figuresOn(page);
    await expect.poll(() => figuresOn(other), POLLING).not.toEqual(held);
    await page.getByRole('button', { name: /^Paused .*, \d+ changes since/ }).waitFor();
    expect(await figuresOn(page)).toEqual(held);
    await page.keyboard.press('l');
    await liveButton(page).waitFor();
    await expect.poll(() => figuresOn(page), POLLING).not.toEqual(held);
    await Promise.all([page, other].map((one) => one.close()));
  }, 120_000);

  test('the time before a change has the figures of then, the present its own', async () => {
    const page = await open(`/?t=10s&at=${at(before)}`);
    expect(await said(page, 'catalog')).toContain(before.versions);
    expect(await said(page, 'catalog')).toContain(` ${before.rate} `);
    expect(await page.getByRole('article').filter({ hasText: 'payments' }).count()).toBe(0); // all was well then
    await page.goto(`${demo.url}/services/shop/catalog?t=10s&at=${at(before)}`);
    await page.getByRole('img', { name: before.versions.replaceAll(' %', '\u00a0%') }).waitFor();
    await page.getByText(before.rate, { exact: true }).first().waitFor();
    await page.goto(`${demo.url}/services/shop/catalog/endpoints?t=10s&at=${at(before)}`);
    const then = page.getByRole('table', { name: 'Nodes that answered then' });
    await then.getByRole('row').nth(1).waitFor();
    await page.goto(`${demo.url}/edges/shop/web/shop/catalog?at=${at(before)}`);
    await page.getByText('no route is about it').waitFor(); // documents of then, though one splits it now
    await page.getByText('endpoints and defaults of agents are those of now').waitFor();
    await page.goto(`${demo.url}/policies?at=${at(before)}`);
    await page.getByText('No documents; the defaults apply.').waitFor();
    await page.goto(`${demo.url}/policies/new/canary?service=shop/catalog&at=${at(before)}`);
    await page.getByText('You look at the past. Go back to live to write.').waitFor();
    await page.goto(`${demo.url}/?t=10s&at=${at(before)}`);
    await page.getByRole('button', { name: 'Back to live' }).click();
    await expect.poll(() => newShareOn(page), POLLING).toSatisfy(isNear);
    await page.close();
  }, 120_000);

  test('a node that is killed is told as missing, its figures as nobody’s, and in the time before it is there', async () => {
    const then = await moment();
    const page = await open('/members');
    await demo.kill('n3');
    await expect.poll(() => stateOf('n3'), POLLING).not.toBe('alive');
    await page.getByText(/did not answer: n3/).waitFor();
    await expect.poll(() => memberOn(page, 'n3').textContent(), POLLING).not.toContain('alive');
    await page.goto(`${demo.url}/members?at=${at(then)}`);
    await memberOn(page, 'n3').getByText('alive', { exact: true }).waitFor();
    await page.goto(`${demo.url}/?t=10s&at=${at(then)}`);
    await settled(page);
    expect(await said(page, 'catalog')).toContain(then.versions);
    await page.getByRole('button', { name: 'Back to live' }).click();
    await expect.poll(() => said(page, 'catalog'), POLLING).not.toContain('v2');
    await page.getByText(/^n3 has not answered/).waitFor();
    await page.close();
  }, 180_000);

  test('when the agent that serves it is killed, the page says so, and goes on once it is back', async () => {
    const page = await open('/members');
    await liveButton(page).waitFor();
    await demo.kill('n1');
    await page.getByRole('button', { name: /^No contact with n1 for \d/ }).waitFor();
    await page.getByRole('status').filter({ hasText: 'No contact with n1; figures are of before.' }).waitFor();
    await page.getByText(/^No contact with n1\. What follows was known .* ago\.$/).waitFor();
    await memberOn(page, 'n2').waitFor(); // what was known stays
    demo.startAgain('n1');
    await liveButton(page).waitFor({ timeout: START_MS });
    await page.getByText(/^No contact with n1\. /).waitFor({ state: 'detached' });
    await memberOn(page, 'n1').getByText('alive', { exact: true }).waitFor();
    await page.close();
  }, 300_000);

  test('no page made the browser complain', () => {
    expect(told.flat()).toEqual([]);
    expect(told.length).toBeGreaterThan(TABS);
  });

  const stateOf = async (node: string): Promise<string | undefined> =>
    (await demo.get<Members>('/members')).members.find(({ name }) => name === node)?.state;

  const isNear = (ratio: number): boolean => Math.abs(ratio - asked / 100) < NEAR_RATIO;
});

function catalogIn({ nodes }: Topology): Topology['nodes'][number] {
  return nodes.find(({ id }) => id === 'shop/catalog')!;
}

function at({ atMs }: Moment): string {
  return new Date(atMs).toISOString();
}

/** Spaces as a screen reader has them. */
function plain(text: string): string {
  return text.replaceAll('\u00a0', ' ');
}

function liveButton(page: Page) {
  return page.getByRole('button', { name: 'Live Pause' });
}

function cardOf(page: Page, name: string) {
  return page.getByRole('button', { name: new RegExp(`^${name}\\b.*requests a second`) });
}

function memberOn(page: Page, node: string) {
  return page.getByRole('row').filter({ has: page.getByRole('link', { name: node, exact: true }) });
}

/** What a screen reader says of a card in the graph. */
async function said(page: Page, service: string): Promise<string> {
  return plain(await cardOf(page, service).ariaSnapshot());
}

/** NaN where the card tells of no v2. */
async function newShareOn(page: Page): Promise<number> {
  const [, percent] = /, v2 ([\d.]+) %/.exec(await said(page, 'catalog')) ?? [];
  return Number(percent) / 100;
}

async function perSecond(row: ReturnType<Page['locator']>): Promise<number> {
  return Number.parseFloat(/ ([\d.]+)\/s/.exec(plain(await row.ariaSnapshot()))?.[1] ?? 'NaN');
}

/** Of all cards. */
async function figuresOn(page: Page): Promise<readonly string[]> {
  return page.locator('.node-figures').allInnerTexts();
}

/** Services in the graph that are not set apart. */
async function litOn(page: Page): Promise<readonly (string | null)[]> {
  const cards = await page.locator('.node-card:not(.is-apart)').all();
  return (await Promise.all(cards.map((card) => card.getAttribute('data-id')))).sort();
}
