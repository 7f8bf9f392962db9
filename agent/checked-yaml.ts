/**
 * YAML that people wrote, checked against a schema, with mistakes named the way an editor can jump to: file, line,
 * column, field, the value found, what is allowed, what to do. Used for agent.yaml and for workloads.d/.
 *
 * A key without a value (`gossip:` above lines that are all commented out) counts as absent. @module
 */

import type { Document, YAMLMap } from 'yaml';
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseAllDocuments } from 'yaml';
import type { z } from 'zod';
import { explainIssue } from './explain-issue.ts';
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
    explainIssue(schema, issue, document.textAt).map(({ path, message }): Problem => {
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
