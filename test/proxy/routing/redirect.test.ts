import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { redirectLocation } from '../../../proxy/routing/redirect.ts';
import { HeadRouteRequest } from '../../../proxy/routing/request.ts';
import type { HttpMatch, HttpRule, PathEdit, Redirect } from '../../../proxy/traffic/rules.ts';
import { compiled, match, pathMatch, requestHead, rule, table, WEB } from './support.ts';

const HTTP = { scheme: 'http', port: 80, authority: 'cart' } as const;

test.each<[string, Partial<Redirect>, number, string]>([
  ['as it is', {}, 80, 'http://cart/a/b?q=1'],
  ['the port that was dialled', {}, 8_080, 'http://cart:8080/a/b?q=1'],
  ['another scheme', { scheme: 'https' }, 8_080, 'https://cart/a/b?q=1'],
  ['the same scheme, given', { scheme: 'http' }, 8_080, 'http://cart/a/b?q=1'],
  ['a port', { port: 9_090 }, 80, 'http://cart:9090/a/b?q=1'],
  ['port 443 of http', { port: 443 }, 80, 'http://cart:443/a/b?q=1'],
  ['port 443 of https', { scheme: 'https', port: 443 }, 80, 'https://cart/a/b?q=1'],
  ['a host', { hostname: 'example.org' }, 80, 'http://example.org/a/b?q=1'],
  ['a whole path', { path: { type: 'full', value: '/new' } }, 80, 'http://cart/new?q=1'],
  ['a prefix', { path: { type: 'prefix', value: '/new' } }, 80, 'http://cart/new/b?q=1'],
])('a redirect to %s', (_, redirect, port, location) => {
  const one = compiled({
    matches: [pathMatch('prefix', '/a')],
    actions: { redirect: { status: 302, ...redirect } },
  });
  const head = requestHead('GET /a/b?q=1', 'Host: cart:1234');
  expect(redirectLocation(head, one.redirect!, { ...HTTP, port })).toBe(location);
});

test('a redirect of a request without Host, with an address as Host, or of no path', () => {
  const { redirect } = compiled({ actions: { redirect: { status: 302 } } });
  expect(redirectLocation(requestHead('GET //evil.example', 'Host: [::1]:80'), redirect!, HTTP)).toBe(
    'http://[::1]//evil.example',
  );
  expect(redirectLocation(requestHead('OPTIONS *'), redirect!, HTTP)).toBe('http://cart/');
  expect(redirectLocation(requestHead('GET http://other:99?a'), redirect!, HTTP)).toBe('http://other/?a');
});

const DATA = process.env.WEFT_CONFORMANCE_DATA ?? join(import.meta.dirname, '../../../../shared/conformance');
const FOLDER = join(DATA, 'gateway-api');
const isThere = existsSync(FOLDER);
if (!isThere) {
  console.log(
    'skipped: conformance data not found (set WEFT_CONFORMANCE_DATA or check out the data beside the repository)',
  );
}

interface Expectation {
  readonly name: string;
  readonly manifests: readonly string[];
  readonly cases: readonly {
    readonly name: string;
    readonly request: { readonly host: string; readonly method: string; readonly path: string };
    readonly expect: {
      readonly redirect?: {
        readonly scheme: string;
        readonly host: string;
        readonly port?: string;
        readonly portAbsentOr?: string;
        readonly statusCode: number;
        readonly path: string;
      };
    };
  }[];
}

const redirects = isThere
  ? readdirSync(join(FOLDER, 'expectations'))
      .filter((name) => /Redirect.*\.json$/.test(name))
      .map((name): Expectation => JSON.parse(readFileSync(join(FOLDER, 'expectations', name), 'utf8')))
  : [];

describe.skipIf(!isThere)('conformance of redirects', () => {
  test.each(redirects.flatMap((one) => one.cases.map((each) => [one.name, each.name, one, each] as const)))(
    '%s: %s',
    (_, __, expectation, { request, expect: expected }) => {
      const routes = table(...rulesOf(expectation.manifests));
      const head = requestHead(`${request.method} ${request.path}`, `Host: ${request.host}`);
      const taken = routes.match(new HeadRouteRequest().of(head), WEB, () => 0)!;
      const { scheme, host, port, path, statusCode } = expected.redirect!;
      const at = port === undefined || port === { http: '80', https: '443' }[scheme] ? '' : `:${port}`;
      expect(redirectLocation(head, taken.redirect!, HTTP)).toBe(`${scheme}://${host}${at}${path}`);
      expect(taken.redirect!.redirect.status).toBe(statusCode);
    },
  );
});

interface PathText {
  readonly type: string;
  readonly replaceFullPath?: string;
  readonly replacePrefixMatch?: string;
}

/** Just enough of a reader for these manifests; what the control thread reads is tested there. */
function rulesOf(manifests: readonly string[]): readonly HttpRule[] {
  const documents = manifests
    .flatMap((path) => parseAllDocuments(readFileSync(join(FOLDER, 'manifests', path), 'utf8')))
    .map((document) => document.toJS())
    .filter((document) => document?.kind === 'HTTPRoute');
  return documents.flatMap(({ metadata, spec }) =>
    spec.rules.map(
      (
        one: { matches: { path: { type: string; value: string } }[]; filters: { requestRedirect: object }[] },
        position: number,
      ) =>
        rule({
          name: metadata.name,
          position,
          matches: one.matches.map(
            ({ path }): HttpMatch =>
              match({ path: { type: path.type === 'Exact' ? 'exact' : 'prefix', value: path.value } }),
          ),
          actions: { redirect: redirectOf(one.filters[0]!.requestRedirect) },
        }),
    ),
  );
}

function redirectOf(filter: {
  scheme?: 'http';
  hostname?: string;
  port?: number;
  path?: PathText;
  statusCode?: 302;
}): Redirect {
  const { path, statusCode = 302, ...rest } = filter;
  if (path === undefined) return { ...rest, status: statusCode };
  const edit: PathEdit =
    path.type === 'ReplaceFullPath'
      ? { type: 'full', value: path.replaceFullPath! }
      : { type: 'prefix', value: path.replacePrefixMatch! };
  return { ...rest, path: edit, status: statusCode };
}
