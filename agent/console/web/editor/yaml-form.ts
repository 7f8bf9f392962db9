/**
 * Forms over YAML. The text is the model: a form reads its fields from it and writes single values back, so that comments,
 * order and whatever no form knows stay as they were.
 * @module
 */
import { type Document, isMap, isScalar, isSeq, parseDocument } from 'yaml';

export type Path = readonly (string | number)[];
export type Value = string | number | boolean | readonly string[];

export type Change = readonly [path: Path, value: Value];

export interface Field {
  readonly id: string;
  readonly label: string;
  readonly input: 'text' | 'number' | 'choice' | 'check' | 'list';
  /** What more and less cost. */
  readonly help: string;
  readonly unit?: string;
  readonly min?: number;
  readonly max?: number;
  readonly choices?: readonly string[];
  /** Where it is in the document; an empty value takes it out. */
  readonly path: Path;
  /** Other places that the field speaks for. */
  readonly covers?: readonly Path[];
  /** What it writes, where that is more than one value. */
  readonly write?: (value: Value) => readonly Change[];
}

export interface Form {
  readonly id: string;
  readonly title: string;
  readonly kind: string;
  /** What it is for, in a sentence. */
  readonly about: string;
  readonly fields: readonly Field[];
  /** A new document for a service. */
  template(service: { readonly namespace: string; readonly name: string }): string;
}

/** Lines are never wrapped. */
const AS_WRITTEN = { lineWidth: 0 } as const;

/** @returns the first thing that makes it no YAML, as a sentence; undefined when it can be read */
export function yamlProblem(text: string): { readonly message: string; readonly line: number } | undefined {
  const [error] = parseDocument(text, { prettyErrors: true }).errors;
  if (error === undefined) return undefined;
  return { message: error.message.split('\n')[0] ?? error.message, line: error.linePos?.[0].line ?? 1 };
}

/** @returns undefined where the document does not have it, or has something else there */
export function readField(text: string, field: Field): Value | undefined {
  const doc = parseDocument(text);
  if (doc.errors.length > 0) return undefined;
  const node: unknown = doc.getIn(field.path, true);
  if (isScalar(node)) {
    const { value } = node;
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : undefined;
  }
  if (!isSeq(node)) return undefined;
  const items = node.items.map((item) => (isScalar(item) ? item.value : undefined));
  return items.every((item) => typeof item === 'string' || typeof item === 'number') ? items.map(String) : undefined;
}

/** @returns the text with one field changed; the same text where it cannot be read as YAML */
export function writeField(text: string, field: Field, value: Value): string {
  const changes = field.write?.(value) ?? [[field.path, value] as const];
  return changes.reduce((sofar, [path, value]) => setValue(sofar, path, value), text);
}

/**
 * Sets what is at a path, and takes out what is empty, with the maps that this leaves empty. What is there already is
 * replaced in the text itself, so that nothing else of it changes; only new fields have the document written anew.
 */
export function setValue(text: string, path: Path, value: Value): string {
  const doc = parseDocument(text);
  if (doc.errors.length > 0) return text;
  if (value === '' || (Array.isArray(value) && value.length === 0)) {
    removeValue(doc, path);
    return doc.toString(AS_WRITTEN);
  }
  const node: unknown = doc.getIn(path, true);
  const isPlace = (isScalar(node) && node.value !== null) || (isSeq(node) && node.flow === true);
  if (isPlace && node.range) {
    return `${text.slice(0, node.range[0])}${flowText(value)}${text.slice(node.range[1])}`;
  }
  doc.setIn(path, doc.createNode(value, { flow: true }));
  return doc.toString(AS_WRITTEN);
}

/** A value in one line, as it may stand in a flow map too. */
function flowText(value: Value): string {
  if (Array.isArray(value)) return `[${value.map(flowText).join(', ')}]`;
  if (typeof value !== 'string') return String(value);
  const isPlain = /^[A-Za-z0-9_./-]+$/.test(value) && parseDocument(value).toJS() === value;
  return isPlain ? value : JSON.stringify(value);
}

function removeValue(doc: Document, path: Path): void {
  if (!doc.hasIn(path)) return;
  doc.deleteIn(path);
  const above = path.slice(0, -1);
  const node: unknown = above.length > 1 ? doc.getIn(above, true) : undefined;
  if ((isMap(node) || isSeq(node)) && node.items.length === 0) removeValue(doc, above);
}

/** What a document says that the form has no field for: paths with their values, as they are listed under it. */
export function unshown(text: string, form: Form): readonly { readonly path: string; readonly value: string }[] {
  const doc = parseDocument(text);
  if (doc.errors.length > 0) return [];
  const shown = [['apiVersion'], ['kind'], ...form.fields.flatMap((field) => [field.path, ...(field.covers ?? [])])];
  const left: { path: string; value: string }[] = [];
  walk(doc.toJS() as unknown, [], (path, value) => {
    if (!shown.some((one) => one.every((part, i) => part === path[i]))) left.push({ path: pathText(path), value });
  });
  return left;
}

function walk(value: unknown, path: Path, leaf: (path: Path, value: string) => void): void {
  if (Array.isArray(value)) for (const [i, item] of value.entries()) walk(item, [...path, i], leaf);
  else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) walk(item, [...path, key], leaf);
  } else leaf(path, String(value));
}

/** `spec.rules[0].backendRefs`, as checks name fields. */
export function pathText(path: Path): string {
  return path.map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`)).join('');
}

/** The 1-based line at which the value of a path begins; undefined where the document does not have it. */
export function lineOf(text: string, path: Path): number | undefined {
  const doc = parseDocument(text);
  for (let depth = path.length; depth > 0; depth--) {
    const node: unknown = doc.getIn(path.slice(0, depth), true);
    const range = (isScalar(node) || isMap(node) || isSeq(node)) && node.range;
    if (range) return text.slice(0, range[0]).split('\n').length;
  }
  return undefined;
}
