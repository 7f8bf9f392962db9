/**
 * How fast the graph is in headless Chromium, against a generated mesh of which every figure changes each tick. Prints JSON.
 *
 * Usage: node scripts/with-node.mjs --system=test test/agent/console/measure.ts [SERVICES EDGES NAMESPACES]...
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CDPSession, chromium, type Page } from 'playwright-core';
import { buildConsole } from '../../../scripts/console.ts';
import { serveFake } from './fake/serve.ts';

const WIDTH = 1440;
const HEIGHT = 900;
const DRAG_STEPS = 120;
/** Two ticks, so that their patches are among what is measured. */
const WATCHED_MS = 5_000;

interface Measured {
  readonly services: number;
  readonly edges: number;
  readonly query: string;
  /** From the first byte asked for to the first card or dot drawn. */
  readonly firstPaintMs: number;
  readonly drag: Frames;
  readonly wheel: Frames;
  /** Longest task while figures change and nobody touches anything. */
  readonly longestTaskMs: number;
  readonly heapMb: number;
  readonly consoleMessages: readonly string[];
}
interface Frames {
  readonly perSec: number;
  readonly p95Ms: number;
}

/** Runs in the page, before its own code; as text, because this file knows no types of a browser. */
const WATCH_TASKS = `
  globalThis.longestTaskMs = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) globalThis.longestTaskMs = Math.max(globalThis.longestTaskMs, duration);
  }).observe({ entryTypes: ['longtask'] });
`;
const WATCH_FRAMES = `
  globalThis.frames_ = [];
  globalThis.isWatching = true;
  let last = performance.now();
  const next = (now) => {
    globalThis.frames_.push(now - last);
    last = now;
    if (globalThis.isWatching) requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
`;

const args = process.argv.slice(2).map(Number);
const sizes =
  args.length >= 3
    ? [args]
    : [
        [300, 1_200, 20],
        [1_000, 5_000, 40],
      ];
const scratch = mkdtempSync(join(tmpdir(), 'weft-console-'));
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  await buildConsole(scratch);
  const results: Measured[] = [];
  for (const [services = 0, edges = 0, namespaces = 0] of sizes) {
    for (const query of services > 300 ? ['/', '/?all=1'] : ['/'])
      results.push(await measure({ services, edges, namespaces, seed: 5 }, query));
  }
  console.log(JSON.stringify(results, null, 2));
} finally {
  await browser.close();
  rmSync(scratch, { recursive: true, force: true });
}

async function measure(
  size: { services: number; edges: number; namespaces: number; seed: number },
  query: string,
): Promise<Measured> {
  const fake = await serveFake({ ...size, dist: scratch, tickMs: 2_000, nowMs: Date.UTC(2026, 8, 21, 14, 13) });
  const context = await browser.newContext({ viewport: { width: WIDTH, height: HEIGHT } });
  const page = await context.newPage();
  const consoleMessages: string[] = [];
  page.on('console', (message) => message.type() !== 'log' && consoleMessages.push(message.text()));
  page.on('pageerror', (error) => consoleMessages.push(String(error)));
  await page.addInitScript({ content: WATCH_TASKS });
  const startMs = performance.now();
  await page.goto(fake.url + query);
  await page.waitForSelector('.node-card, .ns-card, .is-all canvas');
  await page.evaluate('new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))');
  const firstPaintMs = Math.round(performance.now() - startMs);
  const box = (await page.locator('.graph').boundingBox())!;
  const drag = await framesOf(page, () => dragThrough(page, box));
  const wheel = await framesOf(page, () => wheelThrough(page, box));
  await page.evaluate('globalThis.longestTaskMs = 0');
  await page.evaluate(`new Promise((resolve) => setTimeout(resolve, ${WATCHED_MS}))`);
  const longestTaskMs = Math.round(await page.evaluate<number>('globalThis.longestTaskMs'));
  const heapMb = await heapOf(await context.newCDPSession(page));
  await context.close();
  await fake.close();
  const { services, edges } = size;
  return { services, edges, query, firstPaintMs, drag, wheel, longestTaskMs, heapMb, consoleMessages };
}

async function framesOf(page: Page, act: () => Promise<void>): Promise<Frames> {
  await page.evaluate(WATCH_FRAMES);
  await act();
  await page.evaluate('globalThis.isWatching = false');
  const frames = await page.evaluate<number[]>('globalThis.frames_.slice(2)');
  const sorted = frames.toSorted((a, b) => a - b);
  const mean = frames.reduce((sum, ms) => sum + ms, 0) / frames.length;
  return { perSec: Math.round(1_000 / mean), p95Ms: Math.round(sorted[Math.floor(sorted.length * 0.95)] ?? 0) };
}

/** Moves the ground, from a place where no card is. */
async function dragThrough(page: Page, box: { x: number; y: number; width: number; height: number }): Promise<void> {
  const [x, y] = [box.x + 4, box.y + box.height - 4];
  await page.mouse.move(x, y);
  await page.mouse.down();
  for (let i = 0; i < DRAG_STEPS; i += 1)
    await page.mouse.move(x + 200 * Math.sin(i / 12), y - 150 * Math.abs(Math.sin(i / 9)));
  await page.mouse.up();
}

async function wheelThrough(page: Page, box: { x: number; y: number; width: number; height: number }): Promise<void> {
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  for (let i = 0; i < 60; i += 1) await page.mouse.wheel(0, i < 30 ? -40 : 40);
}

async function heapOf(session: CDPSession): Promise<number> {
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  return Math.round(usedSize / 1e6);
}
