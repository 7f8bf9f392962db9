/** Asks a running agent over its admin API: unix socket, or loopback address. @module */
import { Client } from 'undici';
import { formatSocketAddress } from '../addresses.ts';
import type {
  AdminSources,
  CaptureView,
  EndpointView,
  MemberView,
  ServiceView,
  StatusView,
  WorkloadsView,
} from '../admin/views.ts';
import type { CheckReport } from '../check/report.ts';
import { AgentError, messageOf, systemCode } from '../errors.ts';
import { type AgentPlace, formatPlace } from './agent-place.ts';

const CONNECT_TIMEOUT_MS = 3_000;
/** A check asks the kernel and may take a moment; everything else is answered from memory. */
const ANSWER_TIMEOUT_MS = 20_000;
/** Room for the endpoints of a very large mesh. */
const MAX_ANSWER_BYTES = 128 * 1024 * 1024;

/** What each path answers. */
interface Answers {
  readonly '/v1/status': StatusView;
  readonly '/v1/members': readonly MemberView[];
  readonly '/v1/services': readonly ServiceView[];
  readonly '/v1/endpoints': readonly EndpointView[];
  readonly '/v1/workloads': WorkloadsView;
  readonly '/v1/capture': readonly CaptureView[];
  readonly '/v1/check': CheckReport;
  readonly '/v1/config': ReturnType<AdminSources['config']>;
}

/** @throws AgentError WEFT_AGENT_UNREACHABLE when nobody answers, WEFT_AGENT_ANSWER when the agent refuses or fails */
export function ask<P extends keyof Answers>(place: AgentPlace, path: P): Promise<Answers[P]> {
  return call(place, { method: 'GET', path });
}

interface Call {
  readonly method: 'GET' | 'POST';
  /** With its query, if any. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
}

/** As `ask`, for paths with a query or a body. `T` is what our own agent answers there. */
export async function call<T>(place: AgentPlace, asked: Call): Promise<T> {
  const { status, text } = await request(place, asked);
  if (status !== 200) {
    const reason = /"error":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? text.slice(0, 200);
    throw new AgentError('WEFT_AGENT_ANSWER', `${formatPlace(place)} answered ${status} to ${asked.path} (${reason})`);
  }
  try {
    return JSON.parse(text); // our own agent's answer, of this or a neighbouring version
  } catch (err) {
    throw new AgentError('WEFT_AGENT_ANSWER', `${formatPlace(place)} is not a Weft agent: its answer is not JSON`, {
      cause: err,
    });
  }
}

async function request(place: AgentPlace, { method, path, body }: Call): Promise<{ status: number; text: string }> {
  const origin = place.kind === 'socket' ? 'http://localhost' : `http://${formatSocketAddress(place.address)}`;
  const client = new Client(origin, {
    ...(place.kind === 'socket' ? { socketPath: place.path } : {}),
    connectTimeout: CONNECT_TIMEOUT_MS,
    headersTimeout: ANSWER_TIMEOUT_MS,
    bodyTimeout: ANSWER_TIMEOUT_MS,
    maxResponseSize: MAX_ANSWER_BYTES,
  });
  try {
    const sent =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    const answered = await client.request({ method, path, ...sent });
    return { status: answered.statusCode, text: await answered.body.text() };
  } catch (err) {
    throw new AgentError('WEFT_AGENT_UNREACHABLE', `${formatPlace(place)} (${reasonOf(err)})`, { cause: err });
  } finally {
    await client.destroy();
  }
}

function reasonOf(err: unknown): string {
  switch (systemCode(err)) {
    case 'ENOENT':
      return 'no such socket';
    case 'EACCES':
      return 'permission denied; ask as the user the agent runs as';
    case 'ECONNREFUSED':
      return 'connection refused';
    default:
      return messageOf(err);
  }
}
