/**
 * `npm run screenshots`: the demo's mesh with traffic and a canary, each page in both themes at 1440, topology and service at 640
 * too, into docs/screenshots/. Somebody looks at them.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Traces } from '../../agent/console/shapes/mesh.ts';
import { buildConsole } from '../../scripts/console.ts';
import { chromiumPath, openBrowser, openPage, settled } from './browser.ts';
import { publishAnyCanary } from './publish.ts';
import { RunningDemo } from './running-demo.ts';

const TARGET = join(import.meta.dirname, '../../docs/screenshots');
const WIDE = 1_440;
const NARROW = 640;

if (chromiumPath() === undefined) throw new Error('no Chromium: install it, or name it in WEFT_CHROMIUM');
mkdirSync(TARGET, { recursive: true });
await buildConsole();
await using demo = await RunningDemo.start();
const browser = await openBrowser();
await publishAnyCanary(browser, demo);
const traceId = await demo.get<Traces>('/traces?rangeMs=300000').then(
  ({ traces }) => traces[0]?.traceId,
  () => undefined,
);

const pages: [name: string, path: string][] = [
  ['topology', '/?t=5m'],
  ['services', '/services?t=5m'],
  ['service', '/services/shop/catalog?t=5m'],
  ['edge', '/edges/shop/web/shop/catalog?t=5m'],
  ['traces', '/traces?t=5m'],
  ['logs', '/logs?t=5m'],
  ['events', '/events'],
  ['policies', '/policies'],
  ['policy', '/policies/HTTPRoute/shop/catalog'],
  ['policy-edit', '/policies/HTTPRoute/shop/catalog/edit'],
  ['policy-delete', '/policies/HTTPRoute/shop/catalog/edit?delete=1'],
  ['members', '/members'],
  ['member', '/members/n2'],
  ['identities', '/identities?t=5m'],
];
if (traceId !== undefined) pages.push(['trace', `/traces/${traceId}`]);
/** Of these the end is worth a look too. */
const TALL: ReadonlySet<string> = new Set(['edge', 'policy-edit', 'policy-delete']);
const TALL_PX = 1_300;
/** Left out while this node answers no such question. */
const unanswered = new Set<string>();
for (const name of ['traces', 'logs', 'events']) {
  await demo.get(`/${name}?rangeMs=300000`).catch(() => unanswered.add(name));
}

for (const theme of ['light', 'dark'] as const) {
  for (const [name, path] of pages) {
    if (unanswered.has(name)) continue;
    const widths = name === 'topology' || name === 'service' ? [WIDE, NARROW] : [WIDE];
    for (const width of widths) {
      const { page, complaints } = await openPage(browser, demo.url + path, { theme, width });
      if (TALL.has(name)) await page.setViewportSize({ width, height: TALL_PX });
      await settled(page);
      await page.getByText(/^checking$/).waitFor({ state: 'detached' });
      const file = `${name}-${theme}${width === NARROW ? '-narrow' : ''}.png`;
      await page.screenshot({ path: join(TARGET, file) });
      process.stdout.write(`${file}${complaints.length === 0 ? '' : `: ${complaints.join('; ')}`}\n`);
      await page.context().close();
    }
  }
}
await browser.close();
