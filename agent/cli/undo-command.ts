/**
 * `weft undo`: what a document said before, in force again as a new revision. Named by its document, or by the revision that
 * is to be undone.
 * @module
 */
import type { DocumentKey } from '../../gossip/documents/revision.ts';
import type { RevisionView } from '../documents/views.ts';
import { AgentError } from '../errors.ts';
import { agentPlace } from './agent-place.ts';
import { keyGiven, said, short, tell } from './document-words.ts';
import type { WriteOptions } from './document-writer.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { CliIo } from './io.ts';
import { findRevision, isRevision } from './revision-command.ts';

export type UndoOptions = Parameters<typeof agentPlace>[0] & {
  readonly operator?: string;
  readonly namespace?: string;
  /** A kind; without a name, a revision. */
  readonly what: string;
  readonly name?: string;
  /** To put in force again; left out: what the one in force replaced. */
  readonly revision?: string;
};

export async function undo(options: UndoOptions, io: CliIo): Promise<ExitCode> {
  const { historyOf, loadOperator } = await import('./document-writer.ts');
  const place = agentPlace(options, io.env);
  const { what, name, revision } = options;
  if (name === undefined && !isRevision(what)) {
    throw new AgentError('WEFT_AGENT_DOCUMENT_UNKNOWN', `${what} (write undo KIND NAME, or undo REVISION)`);
  }
  const undone = name === undefined ? await findRevision(place, what) : undefined;
  const { kind, namespace, name: known } = undone ?? { kind: what, namespace: options.namespace, name: name! };
  const key = await keyGiven({ kind, name: known, ...(namespace === undefined ? {} : { namespace }) });
  const operator = loadOperator(options.operator, io.env);
  const revisions = await historyOf(place, key);
  const writing = { place, operator, nowMs: io.nowMs(), isDryRun: false };
  const wanted = undone === undefined ? before(key, revisions, revision) : beforeThat(key, revisions, undone.revision);
  const named = revisions.findIndex((one) => one.revision === undone?.revision);
  const later = revisions.slice(0, Math.max(0, named)).filter(({ standing }) => standing !== 'superseded');
  return write({ key, revisions, back: wanted, later }, writing, io);
}

/** Nothing: the document was not there. */
type Earlier = RevisionView | 'nothing';

/** The one asked for, or what the one in force replaced; what is in force itself is nothing to go back to. */
function before(key: DocumentKey, revisions: readonly RevisionView[], wanted: string | undefined): Earlier {
  const [current, ...earlier] = revisions;
  if (current === undefined) throw new AgentError('WEFT_AGENT_DOCUMENT_UNKNOWN', said(key));
  if (wanted === undefined && current.base === '' && !current.isDeleted) return 'nothing';
  const found =
    wanted === undefined
      ? earlier.find(({ revision }) => revision === current.base)
      : earlier.find(({ revision }) => revision.startsWith(wanted.toLowerCase()));
  if (found !== undefined) return found;
  throw new AgentError('WEFT_AGENT_DOCUMENT_UNKNOWN', `${said(key)} revision ${wanted ?? 'before the one in force'}`);
}

function beforeThat(key: DocumentKey, revisions: readonly RevisionView[], undone: string): Earlier {
  const found = revisions.find(({ revision }) => revision === undone);
  if (found?.standing === 'superseded') {
    const why = 'superseded: another was written at the same time and is in force; there is nothing to undo';
    throw new AgentError('WEFT_AGENT_DOCUMENT_UNKNOWN', `${said(key)} revision ${short(undone)} (${why})`);
  }
  if (found?.base === '') return 'nothing';
  const earlier = revisions.find(({ revision }) => revision === found?.base);
  if (earlier !== undefined) return earlier;
  throw new AgentError(
    'WEFT_AGENT_DOCUMENT_UNKNOWN',
    `${said(key)} revision before ${short(undone)}, which is not kept`,
  );
}

interface Undoing {
  readonly key: DocumentKey;
  /** The one in force first. */
  readonly revisions: readonly RevisionView[];
  readonly back: Earlier;
  /** What goes with the one that is named. */
  readonly later: readonly RevisionView[];
}

async function write({ key, revisions, back, later }: Undoing, options: WriteOptions, io: CliIo): Promise<ExitCode> {
  const { baseOf, writeChange } = await import('./document-writer.ts');
  const { encodeResource } = await import('../documents/resource.ts');
  const [current] = revisions;
  const isGone = back === 'nothing' || back.isDeleted;
  const bytesOf = ({ resource }: RevisionView) => encodeResource(resource as Parameters<typeof encodeResource>[0]);
  const body = isGone ? null : bytesOf(back);
  const isSame = isGone ? current!.isDeleted : !current!.isDeleted && Buffer.from(bytesOf(current!)).equals(body!);
  if (isSame) {
    io.stdout.write(`${said(key)} unchanged, revision ${short(current!.revision)}\n`);
    return EXIT.ok;
  }
  const answer = await writeChange({ key, where: said(key), base: baseOf(current), body }, options);
  const verb = back === 'nothing' ? 'deleted: there was none before' : `again as in revision ${short(back.revision)}`;
  tell(io, key, verb, answer);
  if (later.length > 0) {
    const list = later.map(({ revision }) => short(revision)).join(', ');
    io.stderr.write(`${said(key)}: undone with it, because they came later: ${list}\n`);
  }
  return EXIT.ok;
}
