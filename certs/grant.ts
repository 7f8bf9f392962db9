/**
 * Grants: the identity patterns a node certificate carries, so that a stolen node is worth only what ran on it.
 *
 * A pattern is a path with `*` for one whole segment; a last `*` stands for any rest of at least one segment, so that
 * `ns/shop/*` covers `ns/shop/sa/web`. Whatever it says, a grant speaks for workloads only, never for nodes or operators.
 * @module
 */
import { CertsError } from './errors.ts';
import { isSegment, quote } from './spiffe.ts';

const MAX_PATTERNS = 64;
const MAX_TOTAL_LENGTH = 4_096; // the node certificate travels in every handshake

/** Pure and total: a pattern that makes no sense covers nothing. */
export function grantCovers(grant: readonly string[], path: string): boolean {
  const segments = path.split('/');
  if (segments[0] !== 'ns' || segments.length < 2 || segments.includes('')) return false;
  return grant.some((pattern) => patternCovers(pattern.split('/'), segments));
}

function patternCovers(pattern: readonly string[], segments: readonly string[]): boolean {
  const last = pattern.length - 1;
  const isOpen = pattern[last] === '*';
  if (isOpen ? segments.length < pattern.length : segments.length !== pattern.length) return false;
  return pattern.every((want, i) => want === '*' || want === segments[i]);
}

/** What is wrong with a grant, as a phrase; undefined when nothing is. Said of certificates as of command lines. */
export function grantProblem(grant: readonly string[]): string | undefined {
  if (grant.length === 0) return 'no pattern';
  if (grant.length > MAX_PATTERNS) return `${grant.length} patterns, at most ${MAX_PATTERNS}`;
  if (grant.reduce((sum, pattern) => sum + pattern.length, 0) > MAX_TOTAL_LENGTH) {
    return `patterns of more than ${MAX_TOTAL_LENGTH} characters in all`;
  }
  const bad = grant.find((pattern) => !isPattern(pattern));
  return bad === undefined ? undefined : `pattern ${quote(bad)}`;
}

export function checkGrant(grant: readonly string[]): void {
  const problem = grantProblem(grant);
  if (problem !== undefined) throw new CertsError('WEFT_CERTS_BAD_GRANT', problem);
}

function isPattern(pattern: string): boolean {
  if (pattern === '*') return true;
  const [first, ...rest] = pattern.split('/');
  return first === 'ns' && rest.length > 0 && rest.every((segment) => segment === '*' || isSegment(segment));
}
