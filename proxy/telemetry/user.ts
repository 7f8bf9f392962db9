/**
 * Whom a request says that it is for: a header, or a claim of the token in it. Weft verifies no tokens, so this is what the
 * caller says, and good to search by, not to judge by. Read of requests that are told of, and of all that begin a trace where
 * some users are always sampled.
 * @module
 */

import type { Head } from '../http1/grammar/head.ts';
import { textOf } from './request-texts.ts';

const MAX_USER = 256;
/** Longer tokens name nobody. */
const MAX_TOKEN = 8_192;

export interface UserSettings {
  readonly userHeader?: string | undefined;
  readonly userClaim?: string | undefined;
}

/** @returns '' where the request does not say */
export function userOf(head: Head, { userHeader, userClaim }: UserSettings): string {
  if (userClaim !== undefined) return claimIn(textOf(head, userHeader ?? 'authorization', MAX_TOKEN + 1), userClaim);
  return userHeader === undefined ? '' : textOf(head, userHeader);
}

/** A claim of a JWT in its compact form (RFC 7519 §3.1), behind `Bearer` or alone: text, or a number. */
export function claimIn(value: string, claim: string): string {
  if (value.length > MAX_TOKEN) return '';
  const [, payload] = /^(?:bearer +)?[\w-]+\.([\w-]+)\.[\w-]*$/i.exec(value) ?? [];
  if (payload === undefined) return '';
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    if (typeof claims !== 'object' || claims === null || !Object.hasOwn(claims, claim)) return '';
    const user = (claims as Record<string, unknown>)[claim];
    return typeof user === 'string' || typeof user === 'number' ? String(user).slice(0, MAX_USER) : '';
  } catch {
    return ''; // no JSON
  }
}
