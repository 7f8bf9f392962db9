/** Filters of routes: what is done to requests and responses on their way. @module */
import { z } from 'zod';
import type { Cors, HeaderEdits, HttpActions, PathEdit, Redirect, StaticResponse } from '../../proxy/traffic/rules.ts';
import type { HttpDraft } from '../traffic/compiled.ts';
import { checked, headerName, method } from './access-fields.ts';
import { needsPort, PORT_MISSING, targetRef, toBackend } from './route-refs.ts';
import {
  absolutePath,
  headerEdits,
  headerValue,
  MAX_ITEMS,
  MAX_MATCHES,
  percent,
  port,
  preciseHostname,
} from './traffic-fields.ts';

/** The field that says what a filter of each type does. */
const PAYLOADS = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestMirror: 'requestMirror',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
  CORS: 'cors',
  ExternalAuth: 'externalAuth',
  ExtensionRef: 'extensionRef',
  DirectResponse: 'directResponse',
} as const;
type FilterType = keyof typeof PAYLOADS;

/** Taken, since the Gateway API has them, and answered with a 500, since skipping one could open what it closes. */
const UNSUPPORTED: readonly FilterType[] = ['ExternalAuth', 'ExtensionRef'];

const path = z
  .strictObject({
    type: z.enum(['ReplaceFullPath', 'ReplacePrefixMatch']).describe('All of the path, or the prefix that matched.'),
    replaceFullPath: absolutePath.optional().describe('The new path.'),
    replacePrefixMatch: z.string().max(1_024).optional().describe('What takes the place of the prefix, by segments.'),
  })
  .superRefine(({ type, ...values }, context) => {
    const [field, other] =
      type === 'ReplaceFullPath'
        ? (['replaceFullPath', 'replacePrefixMatch'] as const)
        : (['replacePrefixMatch', 'replaceFullPath'] as const);
    const refuse = (at: string, message: string) => context.addIssue({ code: 'custom', path: [at], message });
    if (values[field] === undefined) refuse(field, `must be given for type ${type}`);
    if (values[other] !== undefined) refuse(other, `is not for type ${type}; leave it out, or change type`);
  })
  .describe('The path in its place.');

const origin = checked((text) => {
  if (text === '*' || /^[a-z][a-z0-9+.-]*:\/\/(\*\.)?[A-Za-z0-9.[\]:-]+(:(\d{1,5}|\*))?$/.test(text)) return undefined;
  return 'is no origin; write *, https://shop.example.org or https://*.example.org';
}, 253);

const listed = <T extends z.ZodType>(of: T, what: string) => z.array(of).max(MAX_MATCHES).default([]).describe(what);
const star = z.literal('*');

const payloads = {
  requestHeaderModifier: headerEdits.optional().describe('Changes to the headers of the request.'),
  responseHeaderModifier: headerEdits.optional().describe('Changes to the headers of the response.'),
  requestMirror: z
    .strictObject({
      backendRef: z.strictObject(targetRef).refine(needsPort, PORT_MISSING).describe('Where copies go.'),
      percent: percent.optional().describe('Share of the requests. Left out: all.'),
      fraction: z
        .strictObject({
          numerator: z.int().min(0).describe('So many.'),
          denominator: z.int().min(1).default(100).describe('Of so many.'),
        })
        .refine(({ numerator, denominator }) => numerator <= denominator, 'numerator: is more than denominator')
        .optional()
        .describe('The same as a fraction.'),
    })
    .refine(({ percent, fraction }) => percent === undefined || fraction === undefined, 'give percent or fraction')
    .optional()
    .describe('A copy of the request goes elsewhere as well; what comes of it is dropped.'),
  requestRedirect: z
    .strictObject({
      scheme: z.enum(['http', 'https']).optional().describe('Left out: that of the request.'),
      hostname: preciseHostname.optional().describe('Left out: that of the request.'),
      path: path.optional().describe('Left out: that of the request.'),
      port: port.optional().describe('Left out: that of the scheme, or that of the request.'),
      statusCode: z
        .union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)])
        .default(302)
        .describe('301, 302, 303, 307 or 308.'),
    })
    .optional()
    .describe('The answer is a redirect; nothing is forwarded.'),
  urlRewrite: z
    .strictObject({
      hostname: preciseHostname.optional().describe('The new Host.'),
      path: path.optional().describe('The new path.'),
    })
    .optional()
    .describe('Another host or path for the backend.'),
  cors: z
    .strictObject({
      allowOrigins: listed(origin, 'Who may ask: *, https://shop.example.org, https://*.example.org.'),
      allowCredentials: z.boolean().default(false).describe('Whether with cookies.'),
      allowMethods: listed(z.union([star, method]), 'With which methods; * for any.'),
      allowHeaders: listed(z.union([star, headerName]), 'With which headers; * for any.'),
      exposeHeaders: listed(z.union([star, headerName]), 'Which headers of the response a page may read.'),
      maxAge: z.int().min(1).max(86_400).default(5).describe('How many seconds a browser may remember the answer.'),
    })
    .optional()
    .describe('Answers to browsers that ask whether a page of another origin may call.'),
  externalAuth: z.looseObject({}).optional().describe('Not supported: requests under it get a 500.'),
  extensionRef: z
    .strictObject({
      group: z.string().max(253).describe('Of the kind.'),
      kind: z.string().max(63).describe('Of the filter.'),
      name: z.string().max(253).describe('Of the filter.'),
    })
    .optional()
    .describe('Not supported: requests under it get a 500.'),
  directResponse: z
    .strictObject({
      statusCode: z.int().min(200).max(599).default(200).describe('Of the response.'),
      contentType: headerValue.default('text/plain; charset=utf-8').describe('Of the body.'),
      body: z.string().max(16_384).default('').describe('As it is sent.'),
    })
    .optional()
    .describe('This is the answer; nothing is forwarded. Of apiVersion weft.dev/v1alpha1 alone.'),
};

export const staticResponse = payloads.directResponse.unwrap();

type Written = { readonly type: FilterType } & z.output<z.ZodObject<typeof payloads>>;

/** Filters of the types named, checked for what goes together. */
function filtersOf(types: readonly [FilterType, ...FilterType[]], fields: Partial<typeof payloads>) {
  const filter = z
    .strictObject({ type: z.enum(types).describe('What it does; the field of the same name says how.'), ...fields })
    .superRefine(({ type, ...rest }, context) => {
      const wanted = PAYLOADS[type];
      const given = rest as Record<string, unknown>;
      if (given[wanted] === undefined && type !== 'CORS') {
        context.addIssue({ code: 'custom', path: [wanted], message: `must be given for type ${type}` });
      }
      for (const field of Object.keys(given).filter((name) => name !== wanted && given[name] !== undefined)) {
        context.addIssue({ code: 'custom', path: [field], message: `is not for type ${type}; leave it out` });
      }
    });
  return z
    .array(filter)
    .max(MAX_ITEMS)
    .default([])
    .superRefine((filters, context) => {
      const seen = new Set<string>();
      for (const [i, { type }] of filters.entries()) {
        if (type !== 'RequestMirror' && seen.has(type)) {
          context.addIssue({ code: 'custom', path: [i, 'type'], message: `${type} is there already; write one` });
        }
        seen.add(type);
      }
      const answers = ['RequestRedirect', 'DirectResponse', 'URLRewrite'].filter((type) => seen.has(type));
      if (answers.length > 1) {
        context.addIssue({ code: 'custom', message: `${answers.join(' and ')} do not go together; keep one` });
      }
    });
}

export const httpFilters = filtersOf(Object.keys(PAYLOADS) as [FilterType, ...FilterType[]], payloads).describe(
  'What is done to requests and responses.',
);

const { requestHeaderModifier, responseHeaderModifier, requestMirror, extensionRef } = payloads;
export const grpcFilters = filtersOf(
  ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestMirror', 'ExtensionRef'],
  { requestHeaderModifier, responseHeaderModifier, requestMirror, extensionRef },
).describe('What is done to calls and answers.');

export const backendFilters = filtersOf(['RequestHeaderModifier', 'ResponseHeaderModifier'], {
  requestHeaderModifier,
  responseHeaderModifier,
}).describe('The same for what goes to this backend; here headers can be changed and nothing else.');

/** @param namespace that of the route */
export function toActions(
  filters: readonly unknown[],
  namespace: string,
): Pick<HttpDraft, 'actions' | 'mirrors' | 'problem'> {
  const actions: { -readonly [K in keyof Omit<HttpActions, 'mirrors'>]: HttpActions[K] } = {};
  const mirrors: HttpDraft['mirrors'][number][] = [];
  let problem: string | undefined;
  for (const filter of filters as readonly Written[]) {
    if (filter.requestHeaderModifier !== undefined) actions.requestHeaders = toEdits(filter.requestHeaderModifier);
    if (filter.responseHeaderModifier !== undefined) actions.responseHeaders = toEdits(filter.responseHeaderModifier);
    if (filter.urlRewrite !== undefined) actions.rewrite = toRewrite(filter.urlRewrite);
    if (filter.requestRedirect !== undefined) actions.redirect = toRedirect(filter.requestRedirect);
    if (filter.directResponse !== undefined) actions.respond = toResponse(filter.directResponse);
    if (filter.type === 'CORS') actions.cors = toCors(filter.cors);
    if (filter.requestMirror !== undefined) {
      const { backendRef, percent = 100, fraction } = filter.requestMirror;
      const share = fraction === undefined ? percent : (100 * fraction.numerator) / fraction.denominator;
      mirrors.push({ backend: { ...toBackend(backendRef, namespace), weight: 1 }, percent: share });
    }
    if (UNSUPPORTED.includes(filter.type)) problem = `filter ${filter.type} is not supported`;
  }
  return { actions, mirrors, ...(problem === undefined ? {} : { problem }) };
}

/** Position of the filter that puts another prefix in the place of the one that matched; -1 for none. */
export function prefixReplacement(filters: readonly unknown[]): number {
  return (filters as readonly Written[]).findIndex(
    ({ urlRewrite, requestRedirect }) => (urlRewrite?.path ?? requestRedirect?.path)?.type === 'ReplacePrefixMatch',
  );
}

export function toResponse(written: z.output<typeof staticResponse>): StaticResponse {
  return { status: written.statusCode, contentType: written.contentType, body: written.body };
}

export function toEdits({ set, add, remove }: z.output<typeof headerEdits>): HeaderEdits {
  const pair = ({ name, value }: { readonly name: string; readonly value: string }) => [name, value] as const;
  return { set: set.map(pair), add: add.map(pair), remove };
}

function toPath(written: z.output<typeof path>): PathEdit {
  return written.type === 'ReplaceFullPath'
    ? { type: 'full', value: written.replaceFullPath ?? '/' }
    : { type: 'prefix', value: written.replacePrefixMatch ?? '/' };
}

function toRewrite({ hostname, path }: NonNullable<Written['urlRewrite']>): NonNullable<HttpActions['rewrite']> {
  return { ...(hostname === undefined ? {} : { hostname }), ...(path === undefined ? {} : { path: toPath(path) }) };
}

function toRedirect({ scheme, hostname, path, port, statusCode }: NonNullable<Written['requestRedirect']>): Redirect {
  return {
    ...(scheme === undefined ? {} : { scheme }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(port === undefined ? {} : { port }),
    ...(path === undefined ? {} : { path: toPath(path) }),
    status: statusCode,
  };
}

function toCors(written: Written['cors']): Cors {
  const { allowOrigins = [], allowMethods = [], allowHeaders = [], exposeHeaders = [] } = written ?? {};
  return {
    allowOrigins,
    allowMethods,
    allowHeaders,
    exposeHeaders,
    allowCredentials: written?.allowCredentials ?? false,
    maxAgeSeconds: written?.maxAge ?? 5,
  };
}
