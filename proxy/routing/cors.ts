/**
 * Which pages of other origins may call (Fetch standard §3.2; Gateway API, HTTPCORSFilter). The mesh answers preflights by
 * itself, and what it says about other requests replaces what the application said.
 * @module
 */

import { FIELD_VALUE, spells } from '../http1/grammar/characters.ts';
import { FIELD_STRIDE, type Head } from '../http1/grammar/head.ts';
import type { Cors } from '../traffic/rules.ts';

const ANSWERED = [
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
] as const;
const DEFAULT_PORT = /^(http:\/\/.*):80$|^(https:\/\/.*):443$/;

export class CompiledCors {
  readonly #cors: Cors;
  readonly #isAnyOrigin: boolean;
  readonly #origins: ReadonlySet<string>;
  readonly #patterns: readonly { readonly before: string; readonly after: string }[];
  /** Lines that do not depend on the request. */
  readonly #exposed: string;
  readonly #credentials: string;

  constructor(cors: Cors) {
    const origins = cors.allowOrigins.map(canonicalOrigin);
    this.#cors = cors;
    this.#isAnyOrigin = origins.includes('*');
    this.#origins = new Set(origins.filter((origin) => !origin.includes('*')));
    this.#patterns = origins
      .filter((origin) => origin !== '*' && origin.includes('*'))
      .map((origin) => ({
        before: origin.slice(0, origin.indexOf('*')),
        after: origin.slice(origin.indexOf('*') + 1),
      }));
    this.#credentials = cors.allowCredentials ? 'Access-Control-Allow-Credentials: true\r\n' : '';
    // With credentials a star is no wildcard but the name of a header.
    const exposed = cors.allowCredentials ? cors.exposeHeaders.filter((name) => name !== '*') : cors.exposeHeaders;
    this.#exposed = listLine('Access-Control-Expose-Headers', exposed);
  }

  allows(origin: string): boolean {
    if (this.#isAnyOrigin) return true;
    const asked = canonicalOrigin(origin);
    if (this.#origins.has(asked)) return true;
    return this.#patterns.some(
      ({ before, after }) =>
        asked.length > before.length + after.length && asked.startsWith(before) && asked.endsWith(after),
    );
  }

  /**
   * What a preflight is answered with, as complete lines for a 204; undefined where the request is none. An origin that is
   * not allowed is told nothing, and its browser goes no further.
   */
  preflight(request: Head): string | undefined {
    if (request.methodEnd - request.start !== 7 || request.method() !== 'OPTIONS') return undefined;
    const origin = valueOf(request, 'origin');
    const method = valueOf(request, 'access-control-request-method');
    if (origin === undefined || method === undefined) return undefined;
    const vary = 'Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n';
    if (!this.allows(origin)) return vary;
    const { allowMethods, allowHeaders, maxAgeSeconds } = this.#cors;
    const headers = valueOf(request, 'access-control-request-headers');
    return [
      this.#originLine(origin),
      this.#credentials,
      this.#listOrEcho('Access-Control-Allow-Methods', allowMethods, method),
      this.#listOrEcho('Access-Control-Allow-Headers', allowHeaders, headers),
      `Access-Control-Max-Age: ${Math.floor(maxAgeSeconds)}\r\n`,
      vary,
    ].join('');
  }

  /** Takes the application's answers about CORS away. @returns complete lines to add */
  applyResponse(response: Head, request: Head): string {
    const origin = valueOf(request, 'origin');
    const vary = this.#isAnyOrigin && !this.#cors.allowCredentials ? '' : 'Vary: Origin\r\n';
    if (origin === undefined) return vary;
    for (const name of ANSWERED) response.take(name);
    return this.allows(origin) ? this.#originLine(origin) + this.#credentials + this.#exposed + vary : vary;
  }

  #originLine(origin: string): string {
    const value = this.#isAnyOrigin && !this.#cors.allowCredentials ? '*' : origin;
    return `Access-Control-Allow-Origin: ${value}\r\n`;
  }

  /** A star with credentials is answered with what was asked for. */
  #listOrEcho(name: string, allowed: readonly string[], asked: string | undefined): string {
    if (!allowed.includes('*') || !this.#cors.allowCredentials) return listLine(name, allowed);
    return asked === undefined ? '' : `${name}: ${asked}\r\n`;
  }
}

export function compileCors(cors: Cors, ignored: (what: string) => void): CompiledCors {
  const safe = (field: string, values: readonly string[]): readonly string[] =>
    values.filter((value) => {
      const isSafe = value !== '' && [...value].every((char) => FIELD_VALUE[char.charCodeAt(0)] === 1);
      if (!isSafe) ignored(`cors ${field} ${JSON.stringify(value)}: empty, or a control character in it`);
      return isSafe;
    });
  return new CompiledCors({
    ...cors,
    allowMethods: safe('allowMethods', cors.allowMethods),
    allowHeaders: safe('allowHeaders', cors.allowHeaders),
    exposeHeaders: safe('exposeHeaders', cors.exposeHeaders),
  });
}

/** Schemes and hosts know no case, and the port that a scheme says anyway is left out, as browsers do. */
function canonicalOrigin(origin: string): string {
  return origin.toLowerCase().replace(DEFAULT_PORT, '$1$2');
}

function listLine(name: string, values: readonly string[]): string {
  return values.length === 0 ? '' : `${name}: ${values.join(', ')}\r\n`;
}

/** First line of a name, given in lower case; two origins would be none. */
function valueOf(head: Head, name: string): string | undefined {
  for (let field = 0; field < head.fieldCount; field++) {
    const at = field * FIELD_STRIDE;
    if (spells(head.bytes, head.fields[at]!, head.fields[at + 1]!, name)) return head.value(field);
  }
  return undefined;
}
