/** `weft status REVISION`: how every node fares with a revision of a document. @module */
import type { RevisionStatusView } from '../documents/views.ts';
import { AgentError } from '../errors.ts';
import { agentPlace } from './agent-place.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { CliIo } from './io.ts';
import { type OutputFormat, structured } from './output.ts';

type RevisionOptions = Parameters<typeof agentPlace>[0] & { readonly output: OutputFormat; readonly revision: string };

/** Exits with 1 when some node rejected it. */
export async function showRevision(options: RevisionOptions, io: CliIo): Promise<ExitCode> {
  const { call } = await import('./client.ts');
  const { revisionStatusText } = await import('./document-views.ts');
  const prefix = options.revision.toLowerCase();
  if (!/^[0-9a-f]{4,32}$/.test(prefix)) {
    throw new AgentError('WEFT_AGENT_DOCUMENT_UNKNOWN', `revision ${options.revision} (4 to 32 hexadecimal digits)`);
  }
  const path = `/v1/documents/status?revision=${prefix}`;
  const found = await call<readonly RevisionStatusView[]>(agentPlace(options, io.env), { method: 'GET', path });
  const [status] = found;
  if (status === undefined) throw new AgentError('WEFT_AGENT_DOCUMENT_UNKNOWN', `revision ${prefix}`);
  if (found.length > 1) {
    throw new AgentError(
      'WEFT_AGENT_DOCUMENT_UNKNOWN',
      `revision ${prefix} (several begin like this; give more digits)`,
    );
  }
  const { output } = options;
  io.stdout.write(output === 'table' ? revisionStatusText(status, io.nowMs()) : await structured(status, output));
  return status.rejected > 0 || status.heldBack !== null ? EXIT.failed : EXIT.ok;
}
