/** How commands for documents speak of them, and which of them somebody means. @module */
import type { DocumentKey } from '../../gossip/documents/revision.ts';
import type { DocumentView, WriteView } from '../documents/views.ts';
import type { CliIo } from './io.ts';

/** A document as it is named on the command line. */
export interface Named {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

export async function keyGiven({ kind, name, namespace = '' }: Named): Promise<DocumentKey> {
  return { kind: await canonicalKind(kind), namespace, name };
}

/** `meshconfig` is MeshConfig; the spelling of a kind this version does not know is up to whoever types it. */
export async function canonicalKind(typed: string): Promise<string> {
  const { KINDS } = await import('../documents/kinds.ts');
  return [...KINDS.keys()].find((kind) => kind.toLowerCase() === typed.toLowerCase()) ?? typed;
}

export function isLive(view: DocumentView | undefined): view is DocumentView {
  return view !== undefined && view.resource !== null;
}

export function tell(io: CliIo, key: DocumentKey, verb: string, { revision, warning }: WriteView): void {
  io.stdout.write(`${said(key)} ${verb}, revision ${short(revision)}\n`);
  if (warning !== '') io.stderr.write(`${said(key)}: ${warning}\n`);
}

export function said({ kind, namespace, name }: DocumentKey): string {
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

export function short(revision: string): string {
  return revision.slice(0, 12);
}
