/**
 * Scopes: which documents an operator may write, as `kind/namespace` patterns in the operator's certificate.
 *
 * `*` stands for any kind, or for any namespace and the mesh as a whole; `-` for documents of the mesh as a whole, which
 * have no namespace. `AccessPolicy/shop` is one kind in one namespace, `*` + `/shop` all of them there.
 * @module
 */
import { CertsError } from './errors.ts';
import { quote } from './spiffe.ts';

const MAX_PATTERNS = 64;
const MAX_TOTAL_LENGTH = 4_096; // the certificate travels with every document
const PATTERN = /^(\*|[A-Z][A-Za-z0-9]{0,62})\/(\*|-|[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)$/;

/**
 * Pure and total: a pattern that makes no sense covers nothing.
 *
 * @param namespace '' for a document of the mesh as a whole
 */
export function scopeCovers(scope: readonly string[], kind: string, namespace: string): boolean {
  const where = namespace === '' ? '-' : namespace;
  return scope.some((pattern) => {
    if (!PATTERN.test(pattern)) return false;
    const [kinds, namespaces] = pattern.split('/');
    return (kinds === '*' || kinds === kind) && (namespaces === '*' || namespaces === where);
  });
}

/** What is wrong with a scope, as a phrase; undefined when nothing is. */
export function scopeProblem(scope: readonly string[]): string | undefined {
  if (scope.length === 0) return 'no pattern';
  if (scope.length > MAX_PATTERNS) return `${scope.length} patterns, at most ${MAX_PATTERNS}`;
  if (scope.reduce((sum, pattern) => sum + pattern.length, 0) > MAX_TOTAL_LENGTH) {
    return `patterns of more than ${MAX_TOTAL_LENGTH} characters in all`;
  }
  const bad = scope.find((pattern) => !PATTERN.test(pattern));
  return bad === undefined ? undefined : `pattern ${quote(bad)}`;
}

export function checkScope(scope: readonly string[]): void {
  const problem = scopeProblem(scope);
  if (problem !== undefined) throw new CertsError('WEFT_CERTS_BAD_SCOPE', problem);
}
