/**
 * YAML that people wrote, checked against a schema, with mistakes named the way an editor can jump to: file, line,
 * column, field, the value found, what is allowed, what to do. Used for agent.yaml and for workloads.d/.
 *
 * A key without a value (`gossip:` above lines that are all commented out) counts as absent. @module
 */

import type { Document, YAMLMap } from 'yaml';
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseAllDocuments } from 'yaml';
import type { z } from 'zod';
import { nearest } from './nearest.ts';
import type { Problem } from './problem.ts';

/** One YAML document of a file: its plain value, and where each part of it stands. */
export interface SourceDocument {
  readonly file: string;
  readonly value: unknown;
  /** Position of the key or list item at `path`, or of the nearest parent that exists. */
  at(path: readonly PropertyKey[]): { readonly line: number; readonly column: number };
  /** The text as written at `path`, such as `1.10` for a value that YAML reads as the number 1.1. */
  textAt(path: readonly PropertyKey[]): string | undefined;
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Mistakes beyond this many in one file are counted, not listed: the first few are what gets fixed first. */
const MAX_PROBLEMS = 20;

/** Splits a file into its documents. Empty documents (a trailing `---`) are left out. */
export function parseYaml(text: string, file: string): Parsed<readonly SourceDocument[]> {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    logLevel: 'error',
  });
  const documents: SourceDocument[] = [];
  const problems: Problem[] = [];
  for (const document of 'empty' in parsed ? [] : parsed) {
    for (const error of document.errors) {
      const { line, col } = lines.linePos(error.pos[0]);
      problems.push({ file, line, column: col, field: '', message: `not valid YAML: ${error.message}` });
    }
    if (document.errors.length > 0) continue;
    try {
      const value = withoutNulls(document.toJS({ maxAliasCount: 100 })); // refuses "billion laughs"
      if (value !== undefined) documents.push(source(document, { value, file, lines }));
    } catch (err) {
      problems.push({ file, line: 1, column: 1, field: '', message: `not usable YAML: ${(err as Error).message}` });
    }
  }
  return problems.length > 0 ? { ok: false, problems: bounded(problems) } : { ok: true, value: documents };
}

/** Checks one document against `schema`. */
export function checkDocument<S extends z.ZodType>(schema: S, document: SourceDocument): Parsed<z.output<S>> {
  const result = schema.safeParse(document.value, { reportInput: true });
  if (result.success) return { ok: true, value: result.data };
  const problems = result.error.issues.flatMap((issue) =>
    explain(schema, issue, document).map(({ path, message }): Problem => {
      return { file: document.file, ...document.at(path), field: fieldName(path), message };
    }),
  );
  return { ok: false, problems: bounded(problems) };
}

/** `['spec', 'ports', 0, 'port']` as `spec.ports[0].port`. */
export function fieldName(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}

interface Explanation {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Turns one zod issue into words that name the value, what is allowed and the fix. */
function explain(schema: z.core.$ZodType, issue: z.core.$ZodIssue, document: SourceDocument): Explanation[] {
  const { path } = issue;
  const orDefault = defaultHint(schema, path);
  const found = show(document.textAt(path) ?? issue.input);
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = knownKeys(schemaAt(schema, path));
      return issue.keys.map((key) => {
        const guess = nearest(key, known);
        const fix =
          guess === undefined
            ? `known here: ${known.join(', ')}`
            : `did you mean ${guess}? Known here: ${known.join(', ')}`;
        return { path: [...path, key], message: `unknown field; ${fix}` };
      });
    }
    case 'invalid_type':
      if (issue.input === undefined)
        return [{ path, message: `missing; it must be ${article(issue.expected)}${orDefault}` }];
      if (issue.expected === 'string' && ['number', 'boolean'].includes(typeof issue.input)) {
        return [
          {
            path,
            message: `${found} is read as a ${typeof issue.input} where text is meant; write "${document.textAt(path) ?? issue.input}" in quotes`,
          },
        ];
      }
      return [
        {
          path,
          message: `${found} is not ${article(issue.expected)}; set it to ${article(issue.expected)}${orDefault}`,
        },
      ];
    case 'too_small':
    case 'too_big':
      return [{ path, message: `${limitMessage(issue, found)}${orDefault}` }];
    case 'invalid_value':
      return [
        {
          path,
          message: `${issue.input === undefined ? 'missing' : `${found} is not known`}; ${choices(issue)}${orDefault}`,
        },
      ];
    case 'invalid_format':
      return [{ path, message: `${found}: ${issue.message}${orDefault}` }];
    case 'invalid_key':
      return [{ path, message: `the name ${show(path.at(-1))}: ${issue.issues[0]?.message ?? issue.message}` }];
    case 'invalid_union': {
      const reasons = new Set(issue.errors.flatMap((errors) => errors.map((inner) => inner.message)));
      return [{ path, message: `${found} fits none of the allowed forms: ${[...reasons].join('; or ')}${orDefault}` }];
    }
    default:
      return [custom(schema, issue)];
  }
}

/** A refinement brings its own sentence; one about several fields opens with the name of the field to change. */
function custom(schema: z.core.$ZodType, { path, message }: z.core.$ZodIssue): Explanation {
  const [, field, sentence] = /^(\w+): (.*)$/s.exec(message) ?? [];
  if (field === undefined || sentence === undefined || !knownKeys(schemaAt(schema, path)).includes(field)) {
    return { path, message };
  }
  return { path: [...path, field], message: sentence };
}

function limitMessage(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig, found: string): string {
  const small = issue.code === 'too_small';
  const limit = small ? issue.minimum : issue.maximum;
  const bound = `${limit} or ${small ? 'more' : 'less'}`;
  if (issue.origin === 'string') {
    return small && limit === 1
      ? 'is empty; write a value'
      : `${found} is too ${small ? 'short' : 'long'}; allowed: ${bound} characters`;
  }
  if (issue.origin === 'array') {
    return small ? `has too few items; list ${bound}` : `has too many items; list ${bound}`;
  }
  return `${found} is too ${small ? 'small' : 'large'}; set it to ${bound}`;
}

function choices(issue: z.core.$ZodIssueInvalidValue): string {
  const allowed = issue.values.map(String);
  if (allowed.length === 1) return `write ${allowed[0]}`;
  const guess = typeof issue.input === 'string' ? nearest(issue.input, allowed) : undefined;
  return `${guess === undefined ? '' : `did you mean ${guess}? `}Allowed: ${allowed.join(', ')}`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list (lines that start with -)',
  object: 'a group of fields (name: value)',
  record: 'a group of fields (name: value)',
};

function article(type: string): string {
  return TYPE_NAMES[type] ?? type;
}

function show(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** The schema that a value at `path` is checked against; undefined where the path leaves the schema. */
function schemaAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): z.core.$ZodType | undefined {
  let current: z.core.$ZodType | undefined = unwrap(schema);
  for (const key of path) {
    if (current === undefined) return undefined;
    const def: z.core.$ZodTypes['_zod']['def'] = (current as z.core.$ZodTypes)._zod.def;
    let next: z.core.$ZodType | undefined;
    if (def.type === 'object') next = def.shape[String(key)];
    else if (def.type === 'array') next = def.element;
    else if (def.type === 'record') next = def.valueType;
    if (next === undefined) return undefined;
    current = key === path.at(-1) ? next : unwrap(next);
  }
  return current;
}

/** Looks through optional, default and the like to the schema that holds fields. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if ('innerType' in def) return unwrap(def.innerType);
  return def.type === 'pipe' ? unwrap(def.in) : schema;
}

function knownKeys(schema: z.core.$ZodType | undefined): readonly string[] {
  if (schema === undefined) return [];
  const { def } = (unwrap(schema) as z.core.$ZodTypes)._zod;
  return def.type === 'object' ? Object.keys(def.shape) : [];
}

function defaultHint(schema: z.core.$ZodType, path: readonly PropertyKey[]): string {
  const at = path.length === 0 ? undefined : schemaAt(schema, path);
  if (at === undefined) return '';
  const { def } = (at as z.core.$ZodTypes)._zod;
  if (def.type !== 'default') return '';
  return `, or leave it out for the default ${show(def.defaultValue)}`;
}

function source(
  document: Document.Parsed,
  parts: { value: unknown; file: string; lines: LineCounter },
): SourceDocument {
  const { value, file, lines } = parts;
  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  return {
    file,
    value,
    at: (path) => position(find(document, path).offset),
    textAt: (path) => {
      const { node, complete } = find(document, path);
      return complete && isScalar(node) && typeof node.value !== 'object' ? node.source : undefined;
    },
  };
}

/** Walks to `path`. `offset` is that of the last key or item found; `complete` says whether the whole path exists. */
function find(
  document: Document.Parsed,
  path: readonly PropertyKey[],
): { offset: number; node: unknown; complete: boolean } {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const key of path) {
    const container: unknown = isAlias(node) ? node.resolve(document) : node;
    let next: unknown;
    if (isMap(container)) {
      const pair = pairOf(container, String(key));
      if (pair === undefined) return { offset, node, complete: false };
      offset = (pair.key as Node | null)?.range?.[0] ?? offset;
      next = pair.value;
    } else if (isSeq(container) && typeof key === 'number') {
      next = container.items[key];
      offset = (next as Node | undefined)?.range?.[0] ?? offset;
    }
    if (next === undefined || next === null) return { offset, node, complete: false };
    node = next;
  }
  return { offset, node, complete: true };
}

function pairOf(map: YAMLMap, key: string): Pair | undefined {
  return map.items.find((pair) => (isScalar(pair.key) ? String(pair.key.value) : undefined) === key);
}

function withoutNulls(value: unknown): unknown {
  if (value === null) return undefined;
  if (Array.isArray(value)) return value.map((item) => withoutNulls(item));
  if (typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value as object).flatMap(([key, inner]) => (inner === null ? [] : [[key, withoutNulls(inner)]])),
  );
}

function bounded(problems: readonly Problem[]): readonly Problem[] {
  const last = problems[MAX_PROBLEMS - 1];
  if (problems.length <= MAX_PROBLEMS || last === undefined) return problems;
  const rest = problems.length - MAX_PROBLEMS + 1;
  return [
    ...problems.slice(0, MAX_PROBLEMS - 1),
    { ...last, field: '', message: `and ${rest} more; fix those above first` },
  ];
}
