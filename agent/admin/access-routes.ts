/** /v1/explain: whether a call would be let in, and which rule says so. @module */
import type { IncomingMessage } from 'node:http';
import { type ExplainQuestion, type ExplainWorld, explainCall } from '../access/explain.ts';
import { type AdminRoutes, type Answer, refusal } from './routes.ts';

const MAX_HEADERS = 64;

/** @param world what this node knows at the moment it is asked */
export function accessRoutes(world: () => ExplainWorld): AdminRoutes {
  return { paths: ['/v1/explain'], answer: async (request) => explain(world, request) };
}

function explain(world: () => ExplainWorld, { method, url = '' }: IncomingMessage): Answer {
  const { searchParams } = new URL(url, 'http://agent');
  if (method !== 'GET') return refusal(405, '/v1/explain can only be read; use GET');
  const question = questionOf(searchParams);
  if (typeof question === 'string') return refusal(400, question);
  const view = explainCall(question, world());
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
