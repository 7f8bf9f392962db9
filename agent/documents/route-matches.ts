/** What requests a rule of a route is about. @module */
import { z } from 'zod';
import type { HttpMatch, ValueMatch } from '../../proxy/traffic/rules.ts';
import { checked, headerName } from './access-fields.ts';
import { source, toSource } from './call-source.ts';
import { expression, expressionProblem } from './expressions.ts';
import { absolutePath, headerValue, MAX_ITEMS, percent } from './traffic-fields.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'] as const;

/** Types that the Gateway API has, and those that only weft.dev/v1alpha1 has. */
const VALUE_TYPES = ['Exact', 'RegularExpression', 'Prefix', 'Present'] as const;
export const OWN_TYPES: readonly string[] = ['Prefix', 'Present'];

function refuseExpression(type: string, value: string, context: z.core.$RefinementCtx): void {
  if (type !== 'RegularExpression') return;
  const problem = expression.safeParse(value).success ? undefined : (expressionProblem(value) ?? 'is too long');
  if (problem !== undefined) context.addIssue({ code: 'custom', path: ['value'], message: `${value} ${problem}` });
}

const name = checked(
  (text) => (/[\s=&;]/.test(text) ? 'has spaces or separators; write the name alone' : undefined),
  256,
);

function valueMatch(of: z.ZodType<string>, what: string) {
  return z
    .strictObject({
      type: z
        .enum(VALUE_TYPES)
        .default('Exact')
        .describe(
          'How values are compared. RegularExpression is RE2 and matches as a whole. Prefix and Present are of weft.dev/v1alpha1.',
        ),
      name: of.describe(what),
      value: headerValue.optional().describe('What it is compared with; left out for Present.'),
      not: z.boolean().optional().describe('It must not be so. Of apiVersion weft.dev/v1alpha1 alone.'),
    })
    .superRefine(({ type, value }, context) => {
      const issue = (message: string) => context.addIssue({ code: 'custom', path: ['value'], message });
      if (type === 'Present' && value !== undefined) issue('is not for type Present; leave it out');
      else if (type !== 'Present' && value === undefined) issue(`must be given for type ${type}`);
      else refuseExpression(type, value ?? '', context);
    });
}

const values = (of: z.ZodType<string>, each: string, what: string) =>
  z.array(valueMatch(of, each)).max(MAX_ITEMS).default([]).describe(what);

export const headerMatches = values(headerName, 'In any case of letters.', 'Headers; all of them must hold.');

export const httpMatch = z
  .strictObject({
    path: z
      .strictObject({
        type: z
          .enum(['Exact', 'PathPrefix', 'RegularExpression'])
          .default('PathPrefix')
          .describe(
            'PathPrefix goes by whole segments: /a is no prefix of /ab. RegularExpression is RE2 and matches as a whole.',
          ),
        value: z.string().min(1).max(1_024).default('/').describe('What the path is compared with.'),
      })
      .superRefine(({ type, value }, context) => {
        if (type === 'RegularExpression') return refuseExpression(type, value, context);
        const result = absolutePath.safeParse(value);
        for (const { message } of result.error?.issues ?? [])
          context.addIssue({ code: 'custom', path: ['value'], message });
      })
      .optional()
      .describe('The path, without query.'),
    method: z.enum(METHODS).optional().describe('The method.'),
    headers: headerMatches,
    queryParams: values(name, 'As it is sent.', 'Parameters of the query; all of them must hold.'),
    cookies: values(name, 'As it is sent.', 'Cookies; all of them must hold. Of apiVersion weft.dev/v1alpha1 alone.'),
    sources: z
      .array(source)
      .max(MAX_ITEMS)
      .default([])
      .describe('Who calls; any of them. Of apiVersion weft.dev/v1alpha1 alone.'),
    percentage: percent
      .optional()
      .describe('Share of the requests that fall under it. Of apiVersion weft.dev/v1alpha1 alone.'),
  })
  .describe('A request. All fields that are given must hold.');

/** Fields that only weft.dev/v1alpha1 has, as far as this match uses them. */
export function ownFields(match: z.output<typeof httpMatch>): readonly (readonly (string | number)[])[] {
  const lists = ['headers', 'queryParams', 'cookies'] as const;
  return [
    ...(match.cookies.length > 0 ? [['cookies']] : []),
    ...(match.sources.length > 0 ? [['sources']] : []),
    ...(match.percentage === undefined ? [] : [['percentage']]),
    ...lists.flatMap((list) =>
      match[list].flatMap(({ type, not }, i) => [
        ...(not === undefined ? [] : [[list, i, 'not']]),
        ...(OWN_TYPES.includes(type) ? [[list, i, 'type']] : []),
      ]),
    ),
  ];
}

const PATH_TYPES = { Exact: 'exact', PathPrefix: 'prefix', RegularExpression: 'regex' } as const;
const TYPES = { Exact: 'exact', Prefix: 'prefix', RegularExpression: 'regex', Present: 'present' } as const;

export function toMatch({ path, method, ...match }: z.output<typeof httpMatch>): HttpMatch {
  return {
    ...(path === undefined ? {} : { path: { type: PATH_TYPES[path.type], value: path.value } }),
    ...(method === undefined ? {} : { method }),
    headers: toHeaderMatches(match.headers),
    query: match.queryParams.map(toValue),
    cookies: match.cookies.map(toValue),
    sources: match.sources.map(toSource),
    ...(match.percentage === undefined ? {} : { percent: match.percentage }),
  };
}

/** Of two headers that ask for one name, the first counts (Gateway API, HTTPHeaderMatch). */
export function toHeaderMatches(written: z.output<typeof headerMatches>): readonly ValueMatch[] {
  return written.map((match) => ({ ...toValue(match), name: match.name.toLowerCase() }));
}

function toValue({ type, name, value = '', not = false }: z.output<typeof headerMatches>[number]): ValueMatch {
  return { name, type: TYPES[type], value, isNot: not };
}
