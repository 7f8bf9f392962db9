/**
 * How fast the graph is in headless Chromium, against a generated mesh of which every figure changes each tick. Prints a line of
 * JSON for each address; exits with 1 where one could not be measured to the end.
 *
 * Usage: node scripts/with-node.mjs --system=test test/agent/console/measure.ts [SERVICES EDGES NAMESPACES] [--soak MINUTES]
 *
 * --soak leaves the first address open instead, with four ticks in the time of one, and prints what the page's heap comes to.
 */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { buildConsole } from '../../../scripts/console.ts';
import { openBrowser } from '../../console/browser.ts';
import { serveFake } from './fake/serve.ts';

const WIDTH = 1440;
const HEIGHT = 900;
const TICK_MS = 2_000;
/** Each gesture goes on for so long, however slow the page is. */
const GESTURE_MS = 3_000;
/** Three ticks, so that their patches are among what is measured. */
const LIVE_MS = 3 * TICK_MS + 500;
/** For one address; then its browser is closed, and what was measured until then is printed. */
const MOST_MS = 90_000;
const SETTLE_MS = 1_000;
const SELECT_MS = 200;
const SOAK_TICK_MS = TICK_MS / 4;
const SOAK_SAMPLE_MS = 15_000;

interface Size {
  readonly services: number;
  readonly edges: number;
  readonly namespaces: number;
}
interface Frames {
  readonly perSec: number;
  readonly medianMs: number;
  readonly p95Ms: number;
  readonly worstMs: number;
  /** CPU time of the page's own thread for a frame, which a busy machine changes least. */
  readonly cpuMs: number;
}
type Act = (page: Page, box: Box) => (step: number) => Promise<void>;
interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const GESTURES: Readonly<Record<string, Act>> = {
  /** Moves the ground, from a corner where no card is. */
  pan: (page, { x, y, height }) => {
    const [left, bottom] = [x + 4, y + height - 4];
    const start = page.mouse.move(left, bottom).then(() => page.mouse.down());
    return async (step) => {
      await start;
      await page.mouse.move(left + 200 * Math.sin(step / 12), bottom - 150 * Math.abs(Math.sin(step / 9)));
    };
  },
  zoom: (page, { x, y, width, height }) => {
    const start = page.mouse.up().then(() => page.mouse.move(x + width / 2, y + height / 2));
    return async (step) => {
      await start;
      await page.mouse.wheel(0, step % 40 < 20 ? -40 : 40);
    };
  },
  hover: (page, { x, y, width, height }) => {
    const across = (part: number, size: number) => size * (0.5 + 0.4 * Math.sin(part));
    return (step) => page.mouse.move(x + across(step / 17, width), y + across(step / 11, height));
  },
  /** A namespace after the other, five a second; what lies on the canvas where there are none. */
  select: (page, { x, y, width, height }) => {
    const spots = page.evaluate<
      [number, number][]
    >(`[...document.querySelectorAll('.ns-card, .node-card')].map((card) => {
      const { left, top } = card.getBoundingClientRect();
      return [left + 16, top + 8];
    })`);
    return async (step) => {
      const inside = (await spots).filter(([a, b]) => a > x && b > y && a < x + width && b < y + height);
      const [left, top] = inside[(step * 7) % (inside.length || 1)] ?? [x + 200 + ((step * 37) % 400), y + 200];
      await page.mouse.click(left, top);
      await page.waitForTimeout(SELECT_MS);
    };
  },
};

/** Runs in the page, before its own code; as text, because this file knows no types of a browser. */
const WATCH_TASKS = `
  globalThis.tasks = [];
  new PerformanceObserver((list) => globalThis.tasks.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ entryTypes: ['longtask'] });
`;
const WATCH_FRAMES = `(() => {
  const frames = (globalThis.frames_ = []);
  globalThis.isWatching = true;
  let last = performance.now();
  const next = (now) => {
    frames.push(now - last);
    last = now;
    if (globalThis.isWatching) requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
})()`;
/** Everything has its place, and what draws the lines is there. */
const SHOWN = '.graph[aria-busy="false"]:has(canvas):is(.is-all, :has(.node-card, .ns-card))';
const NEXT_FRAME = 'new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))';
const LONGEST_TASK = 'Math.round(Math.max(0, ...globalThis.tasks.splice(0)))';

const { positionals, values } = parseArgs({ allowPositionals: true, options: { soak: { type: 'string' } } });
const [services = 0, edges = 0, namespaces = 0] = positionals.map(Number);
const SMALL: Size = { services: 300, edges: 1_200, namespaces: 20 };
const LARGE: Size = { services: 1_000, edges: 5_000, namespaces: 40 };
const sizes: readonly Size[] = positionals.length >= 3 ? [{ services, edges, namespaces }] : [SMALL, LARGE];
const dist = await buildConsole();
for (const size of sizes) {
  const queries = size.services > 300 ? ['/', '/?open=shop,cart,pay', '/?all=1'] : ['/'];
  if (values.soak !== undefined) console.log(JSON.stringify(await soak(size, queries[0]!, Number(values.soak))));
  else for (const query of queries) console.log(JSON.stringify(await measure(size, query)));
}

async function measure(size: Size, query: string): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = { ...size, query };
  await inPage(size, TICK_MS, async (page, url) => {
    const startMs = performance.now();
    await page.goto(url + query);
    await page.waitForSelector(SHOWN, { state: 'attached' });
    await page.evaluate(NEXT_FRAME);
    found.firstPaintMs = Math.round(performance.now() - startMs);
    found.firstLongestTaskMs = await page.evaluate(LONGEST_TASK);
    await page.waitForTimeout(SETTLE_MS);
    const box = (await page.locator('.graph').boundingBox())!;
    for (const [name, act] of Object.entries(GESTURES)) found[name] = await framesOf(page, act(page, box));
    await page.evaluate(LONGEST_TASK);
    found.live = await framesOf(page, () => page.waitForTimeout(LIVE_MS));
    found.liveLongestTaskMs = await page.evaluate(LONGEST_TASK);
    found.heapMb = await heapOf(page);
  }).catch((error: Error) => {
    found.failed = error.message.split('\n')[0];
    process.exitCode = 1;
  });
  return { ...found, load: tenths(loadavg()[0]!) };
}

async function soak(size: Size, query: string, minutes: number): Promise<Record<string, unknown>> {
  const heapMb: number[] = [];
  await inPage(
    size,
    SOAK_TICK_MS,
    async (page, url) => {
      await page.goto(url + query);
      await page.waitForSelector('.node-card, .ns-card', { state: 'attached' });
      const endMs = performance.now() + minutes * 60_000;
      while (performance.now() < endMs) {
        await page.waitForTimeout(SOAK_SAMPLE_MS);
        heapMb.push(await heapOf(page));
      }
    },
    minutes * 60_000,
  );
  return { ...size, query, minutes, tickMs: SOAK_TICK_MS, heapMb };
}

/** @param extraMs more than `MOST_MS` */
async function inPage(
  size: Size,
  tickMs: number,
  look: (page: Page, url: string) => Promise<void>,
  extraMs = 0,
): Promise<void> {
  const fake = await serveFake({ ...size, seed: 5, dist, tickMs, nowMs: Date.UTC(2026, 8, 21, 14, 13) });
  const browser: Browser = await openBrowser();
  let isLate = false;
  const late = setTimeout(() => {
    isLate = true;
    void browser.close(); // whatever waits for the page ends with an error
  }, MOST_MS + extraMs);
  const complaints: string[] = [];
  try {
    const context = await browser.newContext({ viewport: { width: WIDTH, height: HEIGHT } });
    const page = await context.newPage();
    page.setDefaultTimeout(MOST_MS);
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.addInitScript({ content: WATCH_TASKS });
    await look(page, fake.url);
    if (complaints.length > 0) throw new Error(`the page complains: ${complaints[0]}`);
  } catch (error) {
    throw isLate ? new Error(`not done within ${(MOST_MS + extraMs) / 1_000} s`, { cause: error }) : error;
  } finally {
    clearTimeout(late);
    await browser.close();
    await fake.close();
  }
}

/** @param act one step of a gesture, again and again for a while; or all of it */
async function framesOf(page: Page, act: (step: number) => Promise<void>): Promise<Frames> {
  const cpu = await cpuOf(page);
  await page.evaluate(WATCH_FRAMES);
  const startMs = await cpu();
  const endMs = performance.now() + GESTURE_MS;
  for (let step = 0; performance.now() < endMs; step += 1) await act(step);
  await page.evaluate('globalThis.isWatching = false');
  const spentMs = (await cpu()) - startMs;
  const frames = await page.evaluate<number[]>('globalThis.frames_.slice(2)');
  const sorted = frames.toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  const mean = frames.reduce((sum, ms) => sum + ms, 0) / frames.length;
  return {
    perSec: Math.round(1_000 / mean),
    medianMs: at(0.5),
    p95Ms: at(0.95),
    worstMs: at(1),
    cpuMs: tenths(spentMs / frames.length),
  };
}

/** CPU time that tasks of the page's thread took until now. */
async function cpuOf(page: Page): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  return async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0) * 1_000;
  };
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

async function heapOf(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  let least = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < 3; turn += 1) {
    await session.send('HeapProfiler.collectGarbage'); // once may be while a frame is taken in
    least = Math.min(least, (await session.send('Runtime.getHeapUsage')).usedSize);
    await page.waitForTimeout(200);
  }
  await session.detach();
  return tenths(least / 1e6);
}
