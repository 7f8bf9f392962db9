/** Routes and requests for tests of routing. @module */

import type { Socket } from 'node:net';
import { type Duplex, PassThrough } from 'node:stream';
import { peerOf } from '../../../proxy/access/peer.ts';
import { frameRequest, frameResponse } from '../../../proxy/http1/grammar/framing.ts';
import type { Head } from '../../../proxy/http1/grammar/head.ts';
import { HeadParser } from '../../../proxy/http1/grammar/head-parser.ts';
import { Outbox } from '../../../proxy/http1/outbox.ts';
import { writeRequestHead, writeResponseHead } from '../../../proxy/http1/serialize.ts';
import { HeadRouteRequest } from '../../../proxy/routing/request.ts';
import { CompiledRule } from '../../../proxy/routing/rule.ts';
import { compileRoutes, type RouteTable } from '../../../proxy/routing/table.ts';
import type { Backend, HttpActions, HttpMatch, HttpRule, ValueMatch } from '../../../proxy/traffic/rules.ts';

export const WEB = peerOf({ identity: 'spiffe://test.example/ns/shop/sa/web', address: '10.0.0.9', labels: [] });

export function exactly(name: string, value: string): ValueMatch {
  return { name, type: 'exact', value, isNot: false };
}

export function match(part: Partial<HttpMatch> = {}): HttpMatch {
  return { headers: [], query: [], cookies: [], sources: [], ...part };
}

export function pathMatch(type: 'exact' | 'prefix' | 'regex', value: string): HttpMatch {
  return match({ path: { type, value } });
}

export function backend(service: string, part: Partial<Backend> = {}): Backend {
  return { service, port: 80, weight: 1, ...part };
}

export interface RulePart extends Omit<Partial<HttpRule>, 'actions'> {
  readonly name?: string;
  readonly actions?: Partial<HttpActions>;
}

export function rule({ name = 'route', actions, ...part }: RulePart = {}): HttpRule {
  return {
    origin: { kind: 'HTTPRoute', namespace: 'shop', name, revision: '1', rule: `rule-${(part.position ?? 0) + 1}` },
    createdAtMs: 0,
    position: 0,
    matches: [],
    backends: [],
    timeouts: {},
    ...part,
    actions: { mirrors: [], ...actions },
  };
}

export function table(...http: readonly HttpRule[]): RouteTable {
  return compileRoutes({ service: 'shop/cart', port: 80, http, streams: [] });
}

export function compiled(part: RulePart): CompiledRule {
  const one = rule(part);
  return new CompiledRule(one, one.matches[0]);
}

/** A request as the engine reads it. Lines are joined by CRLF. */
export function requestHead(line: string, ...fields: readonly string[]): Head {
  const host = /^host:/im.test(fields.join('\n')) ? [] : ['Host: cart'];
  const head = parsed('request', [line.includes(' HTTP/') ? line : `${line} HTTP/1.1`, ...host, ...fields]);
  const refusal = frameRequest(head);
  if (refusal !== undefined) throw new Error(`${line}: ${refusal}`);
  return head;
}

export function responseHead(...fields: readonly string[]): Head {
  const head = parsed('response', ['HTTP/1.1 200 OK', ...fields]);
  const refusal = frameResponse(head, false);
  if (refusal !== undefined) throw new Error(refusal);
  return head;
}

export function viewOf(line: string, ...fields: readonly string[]): HeadRouteRequest {
  return new HeadRouteRequest().of(requestHead(line, ...fields));
}

/** What the next hop reads. */
export function sent(kind: 'request' | 'response', head: Head, extra = ''): string[] {
  const wire = new PassThrough();
  const out = new Outbox(wire as Duplex as Socket);
  (kind === 'request' ? writeRequestHead : writeResponseHead)(out, head, extra);
  out.flush();
  const text: string = wire.read().toString('latin1');
  parsed(kind, text.slice(0, -4).split('\r\n')); // strict: whatever was edited, it is one head
  return text.slice(0, -4).split('\r\n');
}

function parsed(kind: 'request' | 'response', lines: readonly string[]): Head {
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  const parser = new HeadParser(kind, { maxHeadBytes: 65_536, maxFields: 128 });
  if (parser.parse(bytes, 0, bytes.length) !== bytes.length) throw new Error(`not a ${kind}: ${lines.join(' | ')}`);
  return parser.head;
}
