/**
 * A run, or a sweep, as one self-contained page: what befell the mesh, how each node's view went, how changes spread,
 * what it cost. Nothing is fetched and nothing runs.
 * @module
 */
import { replayCommand } from '../replay.ts';
import type { Run, RunResult } from '../run.ts';
import type { Series } from './svg.ts';
import { escape, heatMap, lineChart, stackedChart } from './svg.ts';
import { fieldsOf } from './text.ts';

const COLORS = [
  '#2f6fde',
  '#e07b39',
  '#2a9d6f',
  '#b5478f',
  '#8a6d3b',
  '#5b5bd6',
  '#c0392b',
  '#16859b',
  '#7f8c2d',
  '#777777',
];
/** From a view that shows nothing of what is so, to one that shows all of it. */
const SHADES = ['#b42318', '#d9542b', '#e58a3c', '#eab04d', '#d8cf7a', '#b9d68c', '#93cc9a'];
const TRUE_VIEW = '#2a9d6f';
const STALLED = '#8d83c9';
const ENDED = '#d7d9dd';

export interface Comparison {
  readonly name: string;
  readonly result: RunResult;
}

export function runPage(run: Run, others: readonly Comparison[] = []): string {
  const { result, picture } = run;
  const events = picture.events.map(
    ({ atMs, text }) => `<tr><td>${(atMs / 1_000).toFixed(2)} s</td><td>${escape(text)}</td></tr>`,
  );
  const body = `
<h1>${escape(result.scenario)} <small>${result.nodes} nodes, seed ${result.seed}</small></h1>
<p>${escape(picture.about)}</p>
${resultTable([{ name: 'weft', result }, ...others])}
${violationsOf(result)}
<p>Again, step for step: <code>${escape(replayCommand(result))}</code></p>
${charts(run)}
<h2>What befell the mesh</h2>
<table>${events.slice(0, 200).join('') || '<tr><td>nothing</td></tr>'}</table>`;
  return page(`weft simulate ${result.scenario}`, body);
}

export function sweepPage(results: readonly RunResult[]): string {
  const names = fieldsOf(results[0]).map(([name]) => name);
  const rows = results.map((result) => {
    const cells = fieldsOf(result).map(([, value]) => `<td>${escape(value)}</td>`);
    return `<tr class="${isGood(result) ? '' : 'bad'}">${cells.join('')}</tr>`;
  });
  const failed = results.filter((result) => !isGood(result));
  const replays = failed.map(
    (result) => `<li><code>${escape(replayCommand(result))}</code>${violationsOf(result)}</li>`,
  );
  const body = `
<h1>Sweep <small>${results.length} runs, ${failed.length} failed</small></h1>
${failed.length === 0 ? '<p>Every invariant held in every run.</p>' : `<ul>${replays.join('')}</ul>`}
<table><tr>${names.map((name) => `<th>${escape(name)}</th>`).join('')}</tr>${rows.join('')}</table>`;
  return page('weft simulate --sweep', body);
}

export function isGood(result: RunResult): boolean {
  return result.violations === 0 && result.falseDeaths === 0;
}

function charts({ picture }: Run): string {
  const { points, viewers, curves, documentCurves } = picture;
  const xMax = (points.at(-1)?.atMs ?? 1_000) / 1_000;
  const marks = picture.events.slice(0, 200).map(({ atMs, text }) => ({ x: atMs / 1_000, text }));
  const at = (value: (point: (typeof points)[number]) => number): (readonly [number, number])[] =>
    points.map((point) => [point.atMs / 1_000, value(point)]);
  const kinds = [...new Set(points.flatMap(({ bytes }) => Object.keys(bytes)))];
  const total = (kind: string): number => points.reduce((sum, { bytes }) => sum + (bytes[kind] ?? 0), 0);
  kinds.sort((a, b) => total(b) - total(a));
  const shown = kinds.slice(0, COLORS.length - 1);
  const bytes: Series[] = shown.map((name, i) => ({
    name,
    color: COLORS[i]!,
    points: at((point) => point.bytes[name] ?? 0),
  }));
  const rest = kinds.slice(shown.length);
  if (rest.length > 0) {
    const points_ = at((point) => rest.reduce((sum, kind) => sum + (point.bytes[kind] ?? 0), 0));
    bytes.push({ name: 'other', color: COLORS.at(-1)!, points: points_ });
  }
  return [
    '<h2>Views</h2>',
    heatMap({
      title: 'What each node shows, against what is so',
      xUnit: 'seconds; green = exactly so, red = nothing of it, violet = stands still, grey = does not run',
      xMax,
      marks,
      rows: viewers.map((name, i) => ({ name, cells: points.map(({ shares }) => shade(shares[i] ?? -1)) })),
    }),
    lineChart({
      title: 'Nodes that run, and nodes whose view is exactly so',
      xUnit: 'seconds',
      yUnit: 'nodes',
      xMax,
      marks,
      series: [
        { name: 'run', color: '#999999', points: at(({ running }) => running) },
        { name: 'view is so', color: TRUE_VIEW, points: at(({ agreeing }) => agreeing) },
      ],
    }),
    lineChart({
      title: 'What nodes hold of each other',
      xUnit: 'seconds',
      yUnit: 'pairs of nodes',
      xMax,
      marks,
      series: [
        { name: 'suspect', color: COLORS[1]!, points: at(({ suspect }) => suspect) },
        { name: 'unresponsive', color: COLORS[5]!, points: at(({ unresponsive }) => unresponsive) },
        { name: 'dead', color: COLORS[6]!, points: at(({ dead }) => dead) },
      ],
    }),
    '<h2>How changes spread</h2>',
    lineChart({
      title: `The first ${curves.length} changes, each from its writer on`,
      xUnit: 'milliseconds',
      yUnit: 'nodes that show it',
      series: curves.map(({ owner, reachedMs }, i) => ({
        name: `change of ${owner}`,
        color: COLORS[i % COLORS.length]!,
        isStepped: true,
        points: [[0, 0] as const, ...reachedMs.map((ms, count) => [ms, count + 1] as const)],
      })),
    }),
    ...(documentCurves.length === 0 ? [] : [documentChart(documentCurves)]),
    '<h2>Traffic</h2>',
    stackedChart({
      title: 'Sent by a node, by kind of message',
      xUnit: 'seconds',
      yUnit: 'bytes a second',
      xMax,
      marks,
      series: bytes,
    }),
  ].join('\n');
}

function documentChart(curves: Run['picture']['documentCurves']): string {
  return lineChart({
    title: 'Documents, each from its writer on',
    xUnit: 'milliseconds',
    yUnit: 'nodes that hold it',
    series: curves.slice(0, 100).map(({ document, reachedMs }, i) => ({
      name: `revision ${document}`,
      color: COLORS[i % COLORS.length]!,
      isStepped: true,
      points: [[0, 0] as const, ...reachedMs.map((ms, count) => [ms, count + 1] as const)],
    })),
  });
}

function shade(share: number): string {
  if (share === -1) return ENDED;
  if (share === -2) return STALLED;
  return share >= 1 ? TRUE_VIEW : SHADES[Math.floor(Math.max(0, share) * SHADES.length)]!;
}

function resultTable(columns: readonly Comparison[]): string {
  const fields = columns.map(({ result }) => fieldsOf(result));
  const head =
    columns.length > 1 ? `<tr><th></th>${columns.map(({ name }) => `<th>${escape(name)}</th>`).join('')}</tr>` : '';
  const rows = fields[0]!.map(([name], i) => {
    return `<tr><th>${escape(name)}</th>${fields.map((one) => `<td>${escape(one[i]?.[1] ?? '')}</td>`).join('')}</tr>`;
  });
  return `<table>${head}${rows.join('')}</table>`;
}

function violationsOf({ violationDetails, violations }: RunResult): string {
  if (violations === 0) return '';
  const lines = violationDetails.map(
    ({ rule, atMs, detail }) => `<li><b>${escape(rule)}</b> at ${atMs} ms: ${escape(detail)}</li>`,
  );
  return `<p class="bad">${violations} violations</p><ul>${lines.join('')}</ul>`;
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title>
<style>
:root { color-scheme: light dark; --text: #1c1e21; --soft: #6a6f76; --line: #8884; --ground: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e7e9; --soft: #9aa0a8; --ground: #16181b; } }
body { font: 14px/1.45 system-ui, sans-serif; color: var(--text); background: var(--ground); max-width: 1040px; margin: 2rem auto; padding: 0 1rem; }
h1 small, figcaption small { color: var(--soft); font-weight: normal; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
figure { margin: 1rem 0 .2rem; } figcaption { font-weight: 600; } svg { width: 100%; height: auto; }
svg text { font-size: 11px; fill: var(--soft); } .grid { stroke: var(--line); } .mark { stroke: var(--text); stroke-dasharray: 3 3; opacity: .5; }
.legend { margin: 0; color: var(--soft); } .legend span { margin-right: 1rem; } .legend i { display: inline-block; width: .8em; height: .8em; margin-right: .35em; }
.bad, .bad td { color: #c0392b; } code { background: var(--line); padding: .1em .35em; border-radius: 3px; }
</style></head><body>${body}
</body></html>
`;
}
