/** Writing a revision, on the side of the operator: the key stays where this runs, the agent gets what is signed. @module */
import { createHash } from 'node:crypto';
import type { OperatorIdentity } from '../../certs/operator-bundle.ts';
import { signAsOperator } from '../../certs/operator-bundle.ts';
import type { Hlc } from '../documents/hlc.ts';
import { nextHlc } from '../documents/hlc.ts';
import type { DocumentKey, Held, Revision } from '../documents/revision.ts';
import { revisionId, revisionStatement } from '../documents/revision.ts';

/** The revision that a new one replaces. */
export interface Base {
  readonly id: string;
  readonly number: number;
  readonly hlc: Hlc;
}

export interface Written {
  readonly key: DocumentKey;
  /** Undefined for the first revision of its document. */
  readonly base: Base | undefined;
  /** Canonical JSON; null deletes. */
  readonly body: Uint8Array | null;
  readonly nowMs: number;
}

export function signRevision(operator: OperatorIdentity, { key, base, body, nowMs }: Written): Held {
  const content = {
    kind: key.kind,
    namespace: key.namespace,
    name: key.name,
    number: (base?.number ?? 0) + 1,
    base: base?.id ?? '',
    hlc: nextHlc(base?.hlc, nowMs),
    author: operator.spiffeId,
    body,
    certificate: new Uint8Array(operator.certificate.raw),
  };
  const statement = revisionStatement(operator.trustDomain, content, digest);
  const revision: Revision = { ...content, signature: signAsOperator(operator, statement) };
  return { id: revisionId(statement, digest), revision };
}

function digest(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}
