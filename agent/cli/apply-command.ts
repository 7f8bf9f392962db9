/** `weft apply`: publishes the documents of a file or directory, or says what that would change. @module */
import type { DocumentKey } from '../../gossip/documents/revision.ts';
import type { ImpactView, WriteView } from '../documents/views.ts';
import { AgentError } from '../errors.ts';
import { type AgentPlace, agentPlace } from './agent-place.ts';
import { isLive, said, short } from './document-words.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { impactText } from './impact-view.ts';
import type { CliIo } from './io.ts';
import { type OutputFormat, structured } from './output.ts';

export type Applied = Parameters<typeof agentPlace>[0] & {
  readonly operator?: string;
  readonly file: string;
  readonly dryRun?: boolean;
  readonly output: OutputFormat;
};

/** What became of a document, or would. */
interface AppliedRow extends DocumentKey {
  readonly outcome: 'unchanged' | 'created' | 'changed' | 'would be created' | 'would be changed';
  /** '' where nobody signed it. */
  readonly revision: string;
  readonly warning: string;
  /** With --dry-run: whose calls it is about, a line a service. */
  readonly affected?: readonly string[];
  /** The same, in figures; null for a document that is about no calls, and where the agent counts none. */
  readonly impact?: ImpactView | null;
}

export async function apply(options: Applied, io: CliIo): Promise<ExitCode> {
  const { readResources } = await import('./document-files.ts');
  const rows: AppliedRow[] = [];
  const { output } = options;
  try {
    for (const sourced of readResources(options.file)) {
      const row = await applyOne(sourced, options, io);
      rows.push(row);
      if (output === 'table') tellRow(io, row);
    }
  } finally {
    if (output !== 'table') io.stdout.write(await structured(rows, output)); // what was published before a failure, too
  }
  return EXIT.ok;
}

type Sourced = ReturnType<typeof import('./document-files.ts').readResources>[number];

async function applyOne({ resource, place: where }: Sourced, options: Applied, io: CliIo): Promise<AppliedRow> {
  const { encodeResource, keyOf } = await import('../documents/resource.ts');
  const { baseOf, checkChange, currentOf, loadOperator, writeChange } = await import('./document-writer.ts');
  const place = agentPlace(options, io.env);
  const isDryRun = options.dryRun === true;
  const isSigned = !isDryRun || (options.operator ?? io.env.WEFT_OPERATOR) !== undefined;
  const operator = isSigned ? loadOperator(options.operator, io.env) : undefined;
  const { kind, namespace, name } = keyOf(resource);
  const key = { kind, namespace, name };
  const body = encodeResource(resource);
  const current = await currentOf(place, key);
  if (isLive(current) && sameBytes(body, encodeResource(current.resource as typeof resource)))
    return { ...key, outcome: 'unchanged', revision: current.revision, warning: '' };
  const verb = isLive(current) ? 'changed' : 'created';
  let written: Pick<WriteView, 'revision' | 'warning' | 'affected'> | undefined;
  if (operator !== undefined) {
    const begun = resource.metadata.revision;
    const base = begun === undefined ? baseOf(current) : await startedFrom(place, key, begun);
    written = await writeChange({ key, where, base, body }, { place, operator, nowMs: io.nowMs(), isDryRun });
  }
  const { revision = '' } = written ?? {};
  if (!isDryRun) return { ...key, outcome: verb, revision, warning: written?.warning ?? '' };
  const asked = await checkChange({ key, where, body }, place);
  const checked = typeof asked === 'string' ? undefined : asked;
  const { warning, affected } = written ?? checked ?? { warning: `the agent was not asked: ${asked}`, affected: [] };
  const outcome = `would be ${verb}` as const;
  return { ...key, outcome, revision, warning, affected, impact: checked?.impact ?? null };
}

function tellRow(io: CliIo, row: AppliedRow): void {
  const { outcome, revision, warning, affected = [], impact = null } = row;
  io.stdout.write(`${said(row)} ${outcome}${revision === '' ? '' : `, revision ${short(revision)}`}\n`);
  for (const line of affected) io.stdout.write(`  affects ${line}\n`);
  if (impact !== null) io.stdout.write(impactText(impact));
  if (warning !== '') io.stderr.write(`${said(row)}: ${warning}\n`);
}

/** The revision a file says it was made from, so that what was written since is not overwritten unseen. */
async function startedFrom(place: AgentPlace, key: DocumentKey, begun: string) {
  const { baseOf, historyOf } = await import('./document-writer.ts');
  const revisions = await historyOf(place, key);
  const found = revisions.find(({ revision }) => revision.startsWith(begun));
  if (found === undefined) throw new AgentError('WEFT_AGENT_DOCUMENT_UNKNOWN', `${said(key)} revision ${begun}`);
  return baseOf(found);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.from(a).equals(b);
}
