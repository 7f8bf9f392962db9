/** Writing documents from the command line: signed here, with a key that no agent ever sees. @module */
import type { OperatorIdentity } from '../../certs/operator-bundle.ts';
import { loadOperatorBundle } from '../../certs/operator-bundle.ts';
import { scopeCovers } from '../../certs/scope.ts';
import type { DocumentKey } from '../../gossip/documents/revision.ts';
import { describeKey } from '../../gossip/documents/revision.ts';
import { type Base, signRevision } from '../../gossip/edge/sign-revision.ts';
import { toSigned } from '../documents/signed.ts';
import type { CheckView, DocumentView, RevisionView, WriteView } from '../documents/views.ts';
import { AgentError, messageOf } from '../errors.ts';
import type { AgentPlace } from './agent-place.ts';
import { call } from './client.ts';

export interface WriteOptions {
  readonly place: AgentPlace;
  readonly operator: OperatorIdentity;
  readonly nowMs: number;
  readonly isDryRun: boolean;
}

export interface Change {
  readonly key: DocumentKey;
  /** Where it was written, for messages. */
  readonly where: string;
  /** The revision it replaces: the one in force, or the one its author began with. */
  readonly base: Base | undefined;
  /** Null deletes. */
  readonly body: Uint8Array | null;
}

/** @throws AgentError when no directory is named; CertsError when what lies there will not do */
export function loadOperator(directory: string | undefined, env: NodeJS.ProcessEnv): OperatorIdentity {
  const place = directory ?? env.WEFT_OPERATOR;
  if (place === undefined || place === '') throw new AgentError('WEFT_AGENT_NO_OPERATOR', 'no operator');
  return loadOperatorBundle(place);
}

/** @throws AgentError saying why it was not written */
export async function writeChange(change: Change, options: WriteOptions): Promise<WriteView> {
  const { key, where, base, body } = change;
  const { place, operator, nowMs, isDryRun } = options;
  // The agents check this too; here it can name what the operator holds.
  if (!scopeCovers(operator.scope, key.kind, key.namespace)) {
    const subject = `${where}: operator ${operator.name} may write ${operator.scope.join(', ')}, not ${describeKey(key)}`;
    throw new AgentError('WEFT_AGENT_DOCUMENT_REFUSED', subject);
  }
  const { revision } = signRevision(operator, { key, base, body, nowMs });
  const sent = { revision: toSigned(revision), isDryRun };
  const answer = await call<WriteView>(place, { method: 'POST', path: '/v1/documents', body: sent });
  if (answer.outcome === 'conflict') {
    throw new AgentError('WEFT_AGENT_DOCUMENT_CONFLICT', `${where}: ${answer.detail}`);
  }
  if (answer.outcome === 'refused') {
    throw new AgentError('WEFT_AGENT_DOCUMENT_REFUSED', `${where}: ${answer.reason}: ${answer.detail}`);
  }
  return answer;
}

/**
 * What the agent would say of a document, whoever signs it.
 *
 * @returns why it could not be asked, where it is one of before, or asked where only reading is offered
 * @throws AgentError where it would refuse what the document says
 */
export async function checkChange({ key, where, body }: CheckedChange, place: AgentPlace): Promise<CheckView | string> {
  const { kind, namespace, name } = key;
  const sent = { kind, namespace, name, body: new TextDecoder().decode(body) };
  let answer: CheckView;
  try {
    answer = await call<CheckView>(place, { method: 'POST', path: '/v1/documents/check', body: sent });
  } catch (err) {
    if (err instanceof AgentError && err.code === 'WEFT_AGENT_ANSWER') return messageOf(err);
    throw err;
  }
  if (answer.problem === '') return answer;
  throw new AgentError('WEFT_AGENT_DOCUMENT_REFUSED', `${where}: invalid: ${answer.problem}`);
}

type CheckedChange = Pick<Change, 'key' | 'where'> & { readonly body: Uint8Array };

export function listDocuments(place: AgentPlace, wanted: Partial<DocumentKey>): Promise<readonly DocumentView[]> {
  return call(place, { method: 'GET', path: `/v1/documents?${new URLSearchParams(given(wanted))}` });
}

/** The revision in force, a deletion too; undefined for a document never written. */
export async function currentOf(place: AgentPlace, key: DocumentKey): Promise<DocumentView | undefined> {
  return (await listDocuments(place, key))[0];
}

export function historyOf(place: AgentPlace, key: DocumentKey): Promise<readonly RevisionView[]> {
  return call(place, { method: 'GET', path: `/v1/documents/history?${new URLSearchParams(given(key))}` });
}

export function baseOf(view: RevisionView | DocumentView | undefined): Base | undefined {
  return view && { id: view.revision, number: view.number, hlc: view.hlc };
}

function given(key: Partial<DocumentKey>): Record<string, string> {
  return Object.fromEntries(Object.entries(key).filter((pair): pair is [string, string] => pair[1] !== undefined));
}
