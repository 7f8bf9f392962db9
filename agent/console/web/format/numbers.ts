/** Figures as people read them: three digits, a unit always, `–` for what is not known. @module */
export const UNKNOWN = '–';
const NBSP = '\u00a0';
type Figure = number | null | undefined;

const isKnown = (value: Figure): value is number => value !== null && value !== undefined && Number.isFinite(value);

/** Three digits that count: 138, 1.24, 12.4, 0.8; trailing zeros are left out. */
export function threeDigits(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 0.01) return value.toPrecision(1).includes('e') ? '0' : value.toPrecision(1);
  const decimals = size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  return trim(value.toFixed(decimals));
}

/** `138/s`, `1.24 k/s`. */
export function rate(perSec: Figure): string {
  if (!isKnown(perSec)) return UNKNOWN;
  const { value, prefix } = scaled(perSec, 1000);
  const short =
    prefix === '' && value < 10 && value > 0 ? trim(value.toFixed(value < 0.095 ? 2 : 1)) : threeDigits(value);
  return prefix === '' ? `${short}/s` : `${short}${NBSP}${prefix}/s`;
}

/** `4.2 %`; what is above zero never reads as 0 %, nor what is below one as 100 %. */
export function share(ratio: Figure): string {
  if (!isKnown(ratio)) return UNKNOWN;
  const percent = ratio * 100;
  if (percent > 0 && percent < 0.05) return `<0.1${NBSP}%`;
  if (percent >= 99.5 && percent < 100) return `${trim(Math.min(99.99, percent).toFixed(2))}${NBSP}%`;
  return `${trim(percent.toFixed(percent < 9.95 ? 1 : 0))}${NBSP}%`;
}

/** `64 ms`, `1.18 s`, `2 min 5 s`, `5 h 20 min`, `12 d`. */
export function duration(ms: Figure): string {
  if (!isKnown(ms)) return UNKNOWN;
  if (ms < 999.5) return `${ms > 0 && ms < 9.95 ? trim(ms.toFixed(1)) : Math.round(ms)}${NBSP}ms`;
  if (ms < 60_000) return `${threeDigits(ms / 1000)}${NBSP}s`;
  const s = Math.round(ms / 1000);
  if (s < 3_600) return two(Math.floor(s / 60), 'min', s % 60, 's', 10);
  if (s < 86_400) return two(Math.floor(s / 3_600), 'h', Math.round((s % 3_600) / 60) % 60, 'min', 24);
  return two(Math.floor(s / 86_400), 'd', Math.floor((s % 86_400) / 3_600), 'h', 3);
}

/** `12.4 MB`. */
export function bytes(count: Figure): string {
  if (!isKnown(count)) return UNKNOWN;
  const { value, prefix } = scaled(count, 1000);
  return `${threeDigits(value)}${NBSP}${prefix}B`;
}

export function bytesRate(perSec: Figure): string {
  return isKnown(perSec) ? `${bytes(perSec)}/s` : UNKNOWN;
}

/** `86,400`. */
export function count(value: Figure): string {
  return isKnown(value) ? Math.round(value).toLocaleString('en-US') : UNKNOWN;
}

/** `1 service`, `24 services`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

function scaled(value: number, base: number): { value: number; prefix: string } {
  const prefixes = ['', 'k', 'M', 'G', 'T'];
  let place = 0;
  let left = value;
  while (Math.abs(left) >= base * 0.9995 && place < prefixes.length - 1) {
    left /= base;
    place += 1;
  }
  return { value: left, prefix: prefixes[place]! };
}

/** The smaller unit is left out where it is zero, or the larger one has reached `until`. */
function two(large: number, largeUnit: string, small: number, smallUnit: string, until: number): string {
  const head = `${large}${NBSP}${largeUnit}`;
  return small === 0 || large >= until ? head : `${head} ${small}${NBSP}${smallUnit}`;
}

function trim(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}
