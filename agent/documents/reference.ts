/** The reference page of the kinds of documents, from their schemas: nothing is written down twice. @module */
import { z } from 'zod';
import type { DocumentKind } from './kind.ts';

/** What is read of a JSON Schema. */
interface Shape {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly items?: Shape;
  readonly additionalProperties?: unknown;
}

interface Field {
  /** Such as `spec.rules[].from[].cidrs[]`. */
  readonly path: string;
  readonly shape: Shape;
  readonly isRequired: boolean;
}

/** Markdown, one table for each kind. */
export function kindsReference(kinds: Iterable<DocumentKind>): string {
  const sorted = [...kinds].sort((a, b) => (a.kind < b.kind ? -1 : 1));
  return `# Kinds of documents

What \`weft apply\` takes, generated from the schemas by \`npm run reference\`. All have \`apiVersion: weft.dev/v1alpha1\` where
nothing else is said. Fields in bold must be given; \`[]\` stands for each item of a list.

${sorted.map(kindReference).join('\n')}`;
}

function kindReference({ kind, schema }: DocumentKind): string {
  const shape = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Shape;
  const fields = fieldsOf(shape, '').filter(
    ({ path, shape }) => !COMMON.has(path) || (path === 'apiVersion' && shape.enum !== undefined),
  );
  const rows = fields.map(({ path, shape, isRequired }) => {
    const name = isRequired ? `**\`${path}\`**` : `\`${path}\``;
    return `| ${[name, typeOf(shape), defaultOf(shape), describe(shape)].map(cell).join(' | ')} |`;
  });
  return `## ${kind}\n\n| field | type | default | what it says |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}

/** Of a list, what it says of its items as well. */
function describe({ description = '', items }: Shape): string {
  return [description, items?.description ?? ''].filter((text) => text !== '').join(' ');
}

/** Said once, at the top. */
const COMMON = new Set([
  'apiVersion',
  'kind',
  'metadata',
  'metadata.labels',
  'metadata.annotations',
  'metadata.revision',
  'status',
]);

function fieldsOf(shape: Shape, path: string): Field[] {
  return Object.entries(shape.properties ?? {}).flatMap(([name, inner]) => {
    const at = path === '' ? name : `${path}.${name}`;
    const field = { path: at, shape: inner, isRequired: shape.required?.includes(name) ?? false };
    const below = inner.items === undefined ? fieldsOf(inner, at) : fieldsOf(inner.items, `${at}[]`);
    const isGroup = inner.properties !== undefined && inner.description === undefined;
    return isGroup ? below : [field, ...below];
  });
}

function typeOf(shape: Shape): string {
  if (shape.const !== undefined) return `\`${String(shape.const)}\``;
  if (shape.enum !== undefined) return shape.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (shape.items !== undefined)
    return `list of ${shape.items.properties === undefined ? typeOf(shape.items) : 'groups'}`;
  if (shape.properties !== undefined) return 'group';
  if (shape.type === 'object') return 'texts by name';
  const bounds = isBounded(shape) ? ` ${shape.minimum} to ${shape.maximum}` : '';
  return `${TYPES[shape.type ?? ''] ?? shape.type ?? 'anything'}${bounds}`;
}

const TYPES: Readonly<Record<string, string>> = { string: 'text', boolean: '`true`, `false`', integer: 'number' };

/** Bounds that are only those of numbers say nothing. */
function isBounded({ minimum, maximum }: Shape): boolean {
  return minimum !== undefined && maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
}

function defaultOf({ default: value }: Shape): string {
  const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  return value === undefined || isEmpty ? '' : `\`${JSON.stringify(value)}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
