/** `weft status REVISION`: how every node fares with a revision of a document. @module */
import type { RevisionStatusView } from '../documents/views.ts';
import { AgentError } from '../errors.ts';
import { type AgentPlace, agentPlace } from './agent-place.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { CliIo } from './io.ts';
import { type OutputFormat, structured } from './output.ts';

type RevisionOptions = Parameters<typeof agentPlace>[0] & { readonly output: OutputFormat; readonly revision: string };

/** Exits with 1 when some node rejected it. */
export async function showRevision(options: RevisionOptions, io: CliIo): Promise<ExitCode> {
  const { revisionStatusText } = await import('./document-views.ts');
  const status = await findRevision(agentPlace(options, io.env), options.revision);
  const { output } = options;
  io.stdout.write(output === 'table' ? revisionStatusText(status, io.nowMs()) : await structured(status, output));
  return status.rejected > 0 || status.heldBack !== null ? EXIT.failed : EXIT.ok;
}

export function isRevision(text: string): boolean {
  return /^[0-9a-f]{4,32}$/i.test(text);
}

/** @throws AgentError where no revision, or more than one, begins like this */
export async function findRevision(place: AgentPlace, typed: string): Promise<RevisionStatusView> {
  const { call } = await import('./client.ts');
  const prefix = typed.toLowerCase();
  if (!isRevision(prefix)) {
    throw new AgentError('WEFT_AGENT_DOCUMENT_UNKNOWN', `revision ${typed} (4 to 32 hexadecimal digits)`);
  }
  const path = `/v1/documents/status?revision=${prefix}`;
  const found = await call<readonly RevisionStatusView[]>(place, { method: 'GET', path });
  const [status] = found;
  if (status === undefined) throw new AgentError('WEFT_AGENT_DOCUMENT_UNKNOWN', `revision ${prefix}`);
  if (found.length === 1) return status;
  const subject = `revision ${prefix} (several begin like this; give more digits)`;
  throw new AgentError('WEFT_AGENT_DOCUMENT_UNKNOWN', subject);
}
