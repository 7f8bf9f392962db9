/** The demo's picture as lines of text: what is there, how it does, what to try. Pure: a Picture in, lines out. @module */
import { styleText } from 'node:util';

export interface Picture {
  readonly headline: string;
  readonly upMs: number;
  /** Name of the agent whose view it is; undefined when none answers. */
  readonly seenBy: string | undefined;
  readonly members: readonly MemberRow[];
  readonly services: readonly ServiceRow[];
  readonly traffic: TrafficRow | undefined;
  /** Newest last. */
  readonly events: readonly string[];
  readonly tries: readonly Try[];
  /** What this variant cannot show. */
  readonly notes: readonly string[];
}

export interface MemberRow {
  readonly name: string;
  readonly state: string;
  readonly address: string;
  readonly endpoints: number;
}

export interface ServiceRow {
  readonly name: string;
  readonly ready: number;
  readonly total: number;
  /** Such as `v1`, with the share of the requests it got where that is known. */
  readonly versions: readonly string[];
  readonly rates: Rates | undefined;
}

export interface TrafficRow extends Rates {
  readonly target: string;
  readonly requests: number;
  readonly failed: number;
  readonly lastFailure: string | undefined;
}

/** Over the last seconds. A quantile is undefined when nothing was measured. */
export interface Rates {
  readonly perSecond: number;
  readonly successRatio: number | undefined;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

export interface Try {
  readonly what: string;
  readonly command: string;
}

const GOOD_STATES = new Set(['alive']);
const BAD_STATES = new Set(['dead', 'left', 'unresponsive']);

/** @param columns lines are cut there; styles are added only if `isColored` */
export function renderPicture(
  picture: Picture,
  { columns, isColored }: { columns: number; isColored: boolean },
): string[] {
  const paint = painter(isColored);
  const lines = [
    paint('bold', `${picture.headline} · up ${clock(picture.upMs)} · Ctrl-C ends it and leaves nothing behind`),
    '',
    paint('bold', row(['MEMBER', 'STATE', 'ADDRESS', 'ENDPOINTS'], MEMBER_WIDTHS)) +
      (picture.seenBy ? paint('dim', `  as ${picture.seenBy} sees it`) : paint('red', '  no agent answers')),
    ...picture.members.map((member) => {
      const cells = [member.name, member.state, member.address, String(member.endpoints)];
      const text = row(cells, MEMBER_WIDTHS);
      if (GOOD_STATES.has(member.state)) return text;
      return paint(BAD_STATES.has(member.state) ? 'red' : 'yellow', text);
    }),
    '',
    paint('bold', row(['SERVICE', 'READY', 'REQ/S', 'SUCCESS', 'P50', 'P99', 'VERSIONS'], SERVICE_WIDTHS)),
    ...picture.services.map((service) => {
      const ready = `${service.ready}/${service.total}`;
      const text = row([service.name, ready, ...rateCells(service.rates), service.versions.join(' ')], SERVICE_WIDTHS);
      if (service.ready === 0) return paint('red', text);
      return service.ready < service.total || isFailing(service.rates) ? paint('yellow', text) : text;
    }),
    ...(picture.traffic ? ['', ...trafficLines(picture.traffic, paint)] : []),
    ...(picture.events.length > 0 ? ['', paint('bold', 'LATELY'), ...picture.events.map((event) => `  ${event}`)] : []),
    '',
    paint('bold', 'TRY, in another terminal'),
    ...picture.tries.map(({ what, command }) => `  ${what.padEnd(TRY_WIDTH)} ${paint('cyan', command)}`),
    ...(picture.notes.length > 0 ? ['', paint('bold', 'NOT SHOWN HERE (run as root on Linux for it)')] : []),
    ...picture.notes.map((note) => `  ${note}`),
  ];
  return lines.map((line) => cut(line, columns));
}

/** The picture in one line, for an output that is no terminal. */
export function summarize(picture: Picture): string {
  const alive = picture.members.filter((member) => GOOD_STATES.has(member.state)).length;
  const ready = picture.services.filter((service) => service.ready > 0).length;
  const { traffic } = picture;
  const [perSecond, success, p50, p99] = rateCells(traffic);
  return (
    `${clock(picture.upMs)} members ${alive}/${picture.members.length} services ${ready}/${picture.services.length}` +
    (traffic
      ? ` requests ${traffic.requests} failed ${traffic.failed} ${perSecond}/s ${success} p50 ${p50} p99 ${p99}`
      : '')
  );
}

const MEMBER_WIDTHS = [10, 13, 16, 9];
const SERVICE_WIDTHS = [10, 7, 8, 9, 9, 9, 20];
const TRY_WIDTH = 18;

function trafficLines(traffic: TrafficRow, paint: Paint): string[] {
  const [perSecond, success, p50, p99] = rateCells(traffic);
  const total = `${traffic.requests} requests, ${traffic.failed} failed`;
  const line = `client -> ${traffic.target}  ${perSecond}/s  ${success}  p50 ${p50}  p99 ${p99}  ${total}`;
  return [
    paint('bold', 'TRAFFIC'),
    `  ${isFailing(traffic) ? paint('yellow', line) : line}`,
    ...(traffic.lastFailure ? [paint('dim', `  last failure: ${traffic.lastFailure}`)] : []),
  ];
}

function rateCells(rates: Rates | undefined): [string, string, string, string] {
  if (!rates) return ['-', '-', '-', '-'];
  return [rates.perSecond.toFixed(1), percent(rates.successRatio), millis(rates.p50Ms), millis(rates.p99Ms)];
}

function isFailing(rates: Rates | undefined): boolean {
  return rates?.successRatio !== undefined && rates.successRatio < 1;
}

/** Never rounds a failure away: 100 % means all. */
function percent(ratio: number | undefined): string {
  if (ratio === undefined) return '-';
  return ratio === 1 ? '100 %' : `${(Math.floor(ratio * 10_000) / 100).toFixed(2)} %`;
}

function millis(ms: number | undefined): string {
  if (ms === undefined) return '-';
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

function row(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, i) => cell.padEnd(widths[i] ?? 0))
    .join(' ')
    .trimEnd();
}

type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'cyan';
type Paint = (style: Style, text: string) => string;

function painter(isColored: boolean): Paint {
  return (style, text) => (isColored ? styleText(style, text, { validateStream: false }) : text);
}

/** Cuts what is visible at `columns`; escape sequences take no room and are kept. */
function cut(line: string, columns: number): string {
  let visible = 0;
  let result = '';
  for (const part of line.split(ESCAPE)) {
    if (part.startsWith('\u001b')) {
      result += part;
    } else {
      result += part.slice(0, Math.max(0, columns - visible));
      visible += part.length;
    }
  }
  return result;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with a control character
const ESCAPE = /(\u001b\[[0-9;]*m)/;
