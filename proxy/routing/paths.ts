/**
 * Finding the matches whose path holds without trying the others: exact paths by one look-up, prefixes by a walk over the
 * segments of the path that ends where no prefix goes on, expressions one by one.
 *
 * The path is taken as it is on the wire, for so it goes on: `//`, `.` and `..`, `%41` and `a` in another case are what they
 * are, and a segment between two slashes may be empty. An AccessPolicy reads the same path in every way it may be meant.
 * @module
 */

import type { HttpMatch } from '../traffic/rules.ts';
import { wireText } from './edits.ts';
import { compileExpression, type Expression } from './expressions.ts';

/** Anything with a path to match; `order` says which of two goes first. */
export interface Placed {
  readonly order: number;
  readonly path: HttpMatch['path'];
}

/** Is offered lists sorted by `order`, and may stop reading one at any time. */
export interface PathVisitor<T> {
  visit(entries: readonly T[]): void;
  /** Whether anything of this order or later can still matter. */
  wants(order: number): boolean;
}

interface Node<T> {
  readonly entries: T[];
  readonly children: Map<string, Node<T>>;
}

interface Tested<T> {
  readonly test: Expression;
  readonly entries: readonly T[];
}

const SLASH = '/';

export class PathIndex<T extends Placed> {
  readonly #exact = new Map<string, T[]>();
  readonly #expressions: Tested<T>[] = [];
  readonly #root: Node<T> = { entries: [], children: new Map() };
  /** Entries that no request reaches, for their expression cannot be read. */
  readonly broken: readonly T[];

  /** @param sorted by `order` */
  constructor(sorted: readonly T[]) {
    const broken: T[] = [];
    const tests = new Map<string, Expression | undefined>();
    for (const entry of sorted) {
      const { path } = entry;
      if (path === undefined || path.type === 'prefix')
        this.#nodeOf(wireText(path?.value ?? SLASH)).entries.push(entry);
      else if (path.type === 'exact') put(this.#exact, wireText(path.value), entry);
      else {
        if (!tests.has(path.value)) tests.set(path.value, compileExpression(path.value));
        const test = tests.get(path.value);
        if (test === undefined) broken.push(entry);
        else this.#expressions.push({ test, entries: [entry] });
      }
    }
    this.broken = broken;
  }

  /** Whether all there is holds whatever the path. */
  get isPathless(): boolean {
    return this.#exact.size === 0 && this.#expressions.length === 0 && this.#root.children.size === 0;
  }

  /** Those that hold whatever the path. */
  get everywhere(): readonly T[] {
    return this.#root.entries;
  }

  /** Offers all whose path holds, roughly in the order in which they go. */
  visit(path: string, visitor: PathVisitor<T>): void {
    if (this.#exact.size > 0) {
      const entries = this.#exact.get(path);
      if (entries !== undefined) visitor.visit(entries);
    }
    for (const { test, entries } of this.#expressions) {
      if (!visitor.wants(entries[0]!.order)) break; // sorted
      if (test(path)) visitor.visit(entries);
    }
    walk(this.#root, path, 0, visitor);
  }

  /** Whether the path of one entry holds. For people; `visit` is quicker. */
  holds({ path }: T, asked: string): boolean {
    if (path === undefined) return true;
    const value = wireText(path.value);
    if (path.type === 'exact') return asked === value;
    if (path.type === 'regex') return compileExpression(path.value)?.(asked) ?? false;
    const prefix = value.replace(/\/+$/, '');
    return prefix === '' || asked === prefix || asked.startsWith(`${prefix}/`);
  }

  #nodeOf(prefix: string): Node<T> {
    let node = this.#root;
    const trimmed = prefix.replace(/\/+$/, '');
    if (trimmed === '') return node;
    for (const segment of trimmed.slice(1).split(SLASH)) {
      let child = node.children.get(segment);
      if (child === undefined) {
        child = { entries: [], children: new Map() };
        node.children.set(segment, child);
      }
      node = child;
    }
    return node;
  }
}

/** The longest prefix first. No deeper than the longest that was compiled. @param at where the slash before a segment is */
function walk<T extends Placed>(node: Node<T>, path: string, at: number, visitor: PathVisitor<T>): void {
  if (node.children.size > 0 && path.charCodeAt(at) === 0x2f) {
    let end = path.indexOf(SLASH, at + 1);
    if (end === -1) end = path.length;
    const child = node.children.get(path.slice(at + 1, end));
    if (child !== undefined) walk(child, path, end, visitor);
  }
  if (node.entries.length > 0) visitor.visit(node.entries);
}

function put<T>(into: Map<string, T[]>, key: string, value: T): void {
  const known = into.get(key);
  if (known === undefined) into.set(key, [value]);
  else known.push(value);
}
