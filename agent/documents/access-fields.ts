/** Fields of access policies that have a grammar of their own: patterns, ranges, times. @module */
import { z } from 'zod';
import { rangeBits } from '../../proxy/access/addresses.ts';
import { decodePath } from '../../proxy/access/canonical.ts';
import { parsePattern } from '../../proxy/access/patterns.ts';
import { clockFormat } from '../../proxy/access/windows.ts';
import { nearest } from '../nearest.ts';

/** A text with a rule of its own. @param problem what is wrong and what to write instead; undefined when nothing is */
export function checked(problem: (text: string) => string | undefined, maxLength = 2_048) {
  return z
    .string()
    .min(1)
    .max(maxLength)
    .superRefine((text, context) => {
      const found = problem(text);
      if (found !== undefined) context.addIssue({ code: 'custom', message: `${text} ${found}` });
    });
}

const ONE_STAR = 'has a * in its midst; write * at the beginning or the end only';

export const identityPattern = checked((text) => {
  const pattern = parsePattern(text);
  if (pattern === undefined) return ONE_STAR;
  const isWhole = /^(spiffe:\/\/[a-z0-9._-]+\/)?ns\/[^/*]+\/sa\/[^/*]+$/.test(text);
  const isBeginning = pattern.kind === 'prefix' && /^(spiffe:\/\/|ns\/|$)/.test(pattern.text);
  if (isWhole || isBeginning || pattern.kind === 'suffix') return undefined;
  return 'is no identity; write ns/NAMESPACE/sa/NAME or a whole SPIFFE id, a part of one such as ns/shop/*, or * for any';
});

export const pathPattern = checked((text) => {
  const pattern = parsePattern(text);
  if (pattern === undefined) return ONE_STAR;
  if (pattern.kind !== 'suffix' && text !== '*' && !text.startsWith('/')) return 'is no path; begin it with /';
  if (/[?#]/.test(text)) return 'has a query or fragment, which rules do not see; write the path alone';
  const decoded = decodePath(pattern.text);
  if (typeof decoded !== 'string')
    return `has ${decoded.unreadable}, and no such path is ever let in; write it plainly`;
  if (/\/\/|\/\.{1,2}(\/|$)/.test(decoded)) return 'has empty or dot segments; write the path they lead to';
  return undefined;
});

export const hostPattern = checked((text) => {
  if (parsePattern(text) === undefined) return ONE_STAR;
  if (/^[A-Za-z0-9._:[\]*-]+$/.test(text)) return undefined;
  return 'is no host; write a name such as cart.shop.weft, with :PORT to mean that port only';
}, 260);

export const valuePattern = checked((text) => (parsePattern(text) === undefined ? ONE_STAR : undefined));

export const method = checked((text) => {
  if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text) && text === text.toUpperCase() && !text.includes('*'))
    return undefined;
  return `is no method as it is sent; write ${text.toUpperCase().replaceAll(/[^A-Z-]/g, '') || 'GET'}, or leave methods out for all`;
}, 64);

export const headerName = checked((text) => {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text) ? undefined : 'is no name of a header';
}, 128);

export const addressRange = checked((text) => {
  if (rangeBits(text) !== undefined) return undefined;
  return 'is no range of addresses; write for example 10.0.0.0/8, fd00::/8 or 10.1.2.3';
}, 64);

export const timeZone = checked((text) => {
  const known = Intl.supportedValuesOf('timeZone');
  if (/^[A-Za-z]/.test(text) && isZone(text)) return undefined;
  const guess = nearest(text, known);
  return `is no time zone of the IANA data base; ${guess === undefined ? 'write for example Europe/Berlin or UTC' : `did you mean ${guess}?`}`;
}, 64);

const ISO_INSTANT = z.iso.datetime({ offset: true });

export const instant = checked((text) => {
  if (ISO_INSTANT.safeParse(text).success) return undefined;
  return 'is no instant; write for example 2026-03-01T08:00:00Z or 2026-03-01T08:00:00+01:00';
}, 64);

const HOUR_MINUTE = /^([01]\d|2[0-3]):([0-5]\d)$|^24:00$/;

export const timeOfDay = checked((text) => {
  return HOUR_MINUTE.test(text)
    ? undefined
    : 'is no time of day; write 00:00 to 23:59, or 24:00 for the end of the day';
}, 16);

/** Minutes since midnight of what `timeOfDay` let through. */
export function minuteOf(text: string): number {
  return Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
}

function isZone(text: string): boolean {
  try {
    clockFormat(text);
    return true;
  } catch {
    return false;
  }
}
