/**
 * The difference of two JSON values, for the stream: what changed since the frame before, and how a browser takes it in.
 * Pure, and free of anything that only one side of the wire has.
 * @module
 */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Field names and places of array items, from the root. */
export type Path = readonly (string | number)[];

/**
 * `[path, value]` puts a value there; `[path]` takes away what is there: of an object that field, of an array that item and
 * all behind it. In order; an empty path is the whole.
 */
export type Op = readonly [path: Path, value: Json] | readonly [path: Path];
export type Patch = readonly Op[];

/** `applyPatch(before, diff(before, after))` equals `after`. Array items are compared place by place. */
export function diff(before: Json, after: Json): Patch {
  const ops: Op[] = [];
  compare(before, after, [], ops);
  return ops;
}

/**
 * Leaves `base` as it is; what no operation touches is shared with it, so that a reader can tell by `===` what changed.
 *
 * @throws RangeError for a path that leads nowhere: the patch is of another base
 */
export function applyPatch(base: Json, patch: Patch): Json {
  const root: Container = { whole: base };
  const own = new Set<unknown>([root]); // made by this call, so free to be written
  for (const op of patch) {
    let at: Container | Json[] = root;
    let key: string | number = 'whole';
    for (const next of op[0]) {
      at = child(at, key, own);
      key = next;
    }
    if (op.length === 2) put(at, key, op[1]);
    else take(at, key);
  }
  return root.whole ?? null;
}

type Container = { [key: string]: Json };

/** @param path to where both are; one array for all, as long as it is deep, because most of what is compared is the same */
function compare(before: Json, after: Json, path: (string | number)[], ops: Op[]): void {
  if (before === after) return;
  if (isArray(before) && isArray(after)) compareItems(before, after, path, ops);
  else if (isObject(before) && isObject(after)) compareFields(before, after, path, ops);
  else ops.push([[...path], after]);
}

function compareItems(before: readonly Json[], after: readonly Json[], path: (string | number)[], ops: Op[]): void {
  const both = Math.min(before.length, after.length);
  for (let i = 0; i < both; i++) {
    path.push(i);
    compare(before[i]!, after[i]!, path, ops);
    path.pop();
  }
  if (after.length < before.length) ops.push([[...path, after.length]]);
  for (let i = both; i < after.length; i++) ops.push([[...path, i], after[i]!]);
}

function compareFields(before: Fields, after: Fields, path: (string | number)[], ops: Op[]): void {
  for (const key of Object.keys(before)) {
    if (!Object.hasOwn(after, key)) ops.push([[...path, key]]);
  }
  for (const key of Object.keys(after)) {
    path.push(key);
    if (Object.hasOwn(before, key)) compare(before[key]!, after[key]!, path, ops);
    else ops.push([[...path], after[key]!]);
    path.pop();
  }
}

/** The container at `key`, copied first where it is still the base's. */
function child(of: Container | Json[], key: string | number, own: Set<unknown>): Container | Json[] {
  const found = Object.hasOwn(of, key) ? (of as Container)[key] : undefined;
  if (typeof found !== 'object' || found === null) throw new RangeError(`nothing at ${key}: a patch of another base`);
  if (own.has(found)) return found as Container;
  const copy = isArray(found) ? [...found] : { ...found };
  own.add(copy);
  put(of, key, copy);
  return copy;
}

/** Never by assignment: `__proto__` is a name like any other. */
function put(into: Container | Json[], key: string | number, value: Json): void {
  Object.defineProperty(into, key, { value, writable: true, enumerable: true, configurable: true });
}

function take(from: Container | Json[], key: string | number): void {
  if (isArray(from)) (from as Json[]).length = Number(key);
  else delete (from as Container)[key];
}

type Fields = { readonly [key: string]: Json };

function isArray(value: unknown): value is readonly Json[] {
  return Array.isArray(value);
}

function isObject(value: Json): value is Fields {
  return typeof value === 'object' && value !== null && !isArray(value);
}
