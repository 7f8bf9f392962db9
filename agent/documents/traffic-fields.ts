/** Fields that documents about traffic share: lengths of time, shares, headers, ports. @module */
import { z } from 'zod';
import { checked, headerName } from './access-fields.ts';
import { dnsLabel, dnsName } from './resource.ts';

/** Of a list of headers to set, of filters, of backends. As many as the Gateway API allows, which counts in 16ths. */
export const MAX_ITEMS = 16;
export const MAX_RULES = 64;
export const MAX_MATCHES = 64;
/** A weight of 1 in the largest sum is 0.0001 %. */
export const MAX_WEIGHT = 1_000_000;

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** A length of time as the Gateway API writes it (GEP-2257): `10s`, `1h30m`, `500ms`. */
export const duration = checked((text) => {
  if (/^(\d{1,5}(h|m|s|ms)){1,4}$/.test(text)) return undefined;
  return 'is no length of time; write for example 500ms, 10s or 1h30m';
}, 64);

/** Milliseconds of what `duration` let through. */
export function durationOf(text: string): number {
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|h|m|s)/g)) ms += Number(count) * (UNIT_MS[unit ?? ''] ?? 0);
  return ms;
}

/** A length of time within bounds. */
export function durationWithin(minMs: number, maxMs: number, bounds: string) {
  return duration.superRefine((text, context) => {
    const ms = durationOf(text);
    if (ms < minMs || ms > maxMs) context.addIssue({ code: 'custom', message: `${text} is out of bounds; ${bounds}` });
  });
}

export const percent = z.number().min(0).max(100);
export const ratio = z.number().min(0).max(1);
export const port = z.int().min(1).max(65_535);
export const weight = z.int().min(0).max(MAX_WEIGHT);

/** No CR, LF or NUL: what is set as a header must not make another one. */
export const headerValue = checked((text) => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  return /[\x00-\x08\x0a-\x1f\x7f]/.test(text) ? 'has control characters; leave them out' : undefined;
}, 4_096);

/** The name of a rule, a port or a section. */
export const sectionName = dnsName;

/** An absolute path without query. */
export const absolutePath = checked((text) => {
  if (!text.startsWith('/')) return 'is no path; begin it with /';
  if (/[?#\s]/.test(text)) return 'has a query, fragment or space; write the path alone';
  if (/\/\/|\/\.{1,2}(\/|$)/.test(text)) return 'has empty or dot segments; write the path they lead to';
  return undefined;
}, 1_024);

export const hostname = checked((text) => {
  const isName = /^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(text);
  return isName ? undefined : 'is no name of a host; write for example shop.example.org, or *.example.org';
}, 253);

/** One without a star, as requests are sent to. */
export const preciseHostname = hostname.refine((text) => !text.startsWith('*'), 'write one name, without *');

const header = z.strictObject({
  name: headerName.describe('In any case of letters.'),
  value: headerValue.describe('As it is sent.'),
});

export const headerEdits = z
  .strictObject({
    set: z.array(header).max(MAX_ITEMS).default([]).describe('Put in the place of what there is of that name.'),
    add: z.array(header).max(MAX_ITEMS).default([]).describe('Put beside what there is of that name.'),
    remove: z.array(headerName).max(MAX_ITEMS).default([]).describe('Names of headers that are taken out.'),
  })
  .describe('Changes to headers: set, then add, then remove.');

/** Metadata as Kubernetes writes it: what it says beyond the name is for people and for Kubernetes. */
export const kubernetesMetadata = z
  .looseObject({
    name: dnsName.describe('Unique within its namespace.'),
    namespace: dnsLabel.describe('Whose it is.'),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
    revision: z.string().optional(),
    creationTimestamp: z.iso
      .datetime({ offset: true })
      .optional()
      .describe('Of routes that say the same, the older counts. Left out: as old as can be.'),
  })
  .describe('Who it is.');

/** Metadata of our own kinds. */
export const ownMetadata = z
  .strictObject({
    name: dnsName.describe('Unique within its namespace.'),
    namespace: dnsLabel.describe('The namespace whose services it is about; weft-system for those of all namespaces.'),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
    revision: z.string().optional(),
  })
  .describe('Who it is.');

/** Written by agents and Kubernetes, and no part of what an operator says. */
export const status = z.unknown().optional().describe('What weft get says of it; not read.');
