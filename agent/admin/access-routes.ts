/** /v1/access: the rules in use and what they did; /v1/explain: whether a call would be let in, and which rule says so. @module */
import type { IncomingMessage } from 'node:http';
import type { AccessStats } from '../../proxy/telemetry/stats-reader.ts';
import { type ExplainQuestion, type ExplainWorld, explainCall } from '../access/explain.ts';
import { accessView } from '../access/usage.ts';
import type { TrafficWorld } from '../traffic/explain/dialled.ts';
import { explainWhole } from '../traffic/explain/whole.ts';
import { type AdminRoutes, type Answer, refusal } from './routes.ts';

const MAX_HEADERS = 64;

export interface AccessSources {
  /** What this node knows at the moment it is asked. */
  readonly world: () => ExplainWorld;
  /** What decides about the way of requests; left out: only access is told. */
  readonly traffic?: () => TrafficWorld;
  /** What its workers have counted. */
  readonly stats: () => readonly AccessStats[];
}

export function accessRoutes(sources: AccessSources): AdminRoutes {
  return { paths: ['/v1/access', '/v1/explain'], answer: async (request) => answer(sources, request) };
}

function answer({ world, traffic, stats }: AccessSources, { method, url = '' }: IncomingMessage): Answer {
  const { pathname, searchParams } = new URL(url, 'http://agent');
  if (method !== 'GET') return refusal(405, `${pathname} can only be read; use GET`);
  if (pathname === '/v1/access') return { status: 200, body: accessView({ ...world(), stats: stats() }) };
  const question = questionOf(searchParams);
  if (typeof question === 'string') return refusal(400, question);
  const view = traffic === undefined ? explainCall(question, world()) : explainWhole(question, world(), traffic());
  return view.ok ? { status: 200, body: view.value } : refusal(404, view.problem);
}

/** @returns what is wrong with it, when something is */
function questionOf(asked: URLSearchParams): ExplainQuestion | string {
  const from = asked.get('from') ?? '';
  const to = asked.get('to') ?? '';
  if (from === '' || to === '') return 'from and to: name both ends of the call';
  const method = asked.get('method');
  if (method === null) return { from, to, request: undefined };
  const path = asked.get('path') ?? '/';
  const host = asked.get('host') ?? undefined;
  const headers = asked.getAll('header').map(splitHeader);
  if (headers.length > MAX_HEADERS) return `header: at most ${MAX_HEADERS} are read`;
  if (!headers.every((header) => header !== undefined)) return 'header: write NAME=VALUE';
  return { from, to, request: { method, path, host, headers } };
}

function splitHeader(text: string): readonly [string, string] | undefined {
  const [, name, value] = /^([^=\s]+)=(.*)$/s.exec(text) ?? [];
  return name === undefined || value === undefined ? undefined : [name, value];
}
