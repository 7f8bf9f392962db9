/** Commands for documents, the policy of the mesh: publish, look, take back. Any agent will do. @module */
import type { Command } from 'commander';
import type { AccessView } from '../access/views.ts';
import type { DocumentView } from '../documents/views.ts';
import { AgentError } from '../errors.ts';
import { agentPlace, withAgent } from './agent-place.ts';
import { type Applied, apply } from './apply-command.ts';
import { canonicalKind, isLive, keyGiven, type Named, said, short, tell } from './document-words.ts';
import type { EffectiveOptions } from './effective-command.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { CliIo } from './io.ts';
import { outputOption } from './listing-commands.ts';
import { type OutputFormat, structured } from './output.ts';
import type { Context } from './program.ts';
import { undo } from './undo-command.ts';

type Place = Parameters<typeof agentPlace>[0];
type Operated = Place & { readonly operator?: string };
type Listed = { readonly output: OutputFormat | 'wide' };
type GetOptions = EffectiveOptions & Listed & { readonly namespace?: string; readonly effective?: boolean };
type Printed = { readonly output: OutputFormat };

export function addDocumentCommands(program: Command, context: Context): void {
  const operated = (command: Command): Command =>
    withAgent(command).option(
      '--operator <directory>',
      'operator.key and operator.crt to sign with (or WEFT_OPERATOR)',
    );
  const namespaced = (command: Command): Command =>
    command.option('-n, --namespace <namespace>', 'left out: that of the mesh as a whole');

  operated(program.command('apply'))
    .description('publish the documents of a file or directory to the mesh')
    .requiredOption('-f, --file <path>', 'YAML or JSON, or a directory of such files')
    .option(
      '--dry-run',
      'check, and say what would change, whose calls it is about and whose of the last hour would end differently; without an operator, whoever may sign it',
    )
    .addOption(outputOption())
    .action(context.action<Applied>(apply));

  withAgent(program.command('diff'))
    .description('what apply would change')
    .requiredOption('-f, --file <path>', 'YAML or JSON, or a directory of such files')
    .action(context.action<Place & { readonly file: string }>(diff));

  withAgent(program.command('get <kind> [name]'))
    .description('documents in force; of trafficpolicy also what comes of them all for calls, with --effective')
    .option('-n, --namespace <namespace>', 'only those of this namespace')
    .option('--effective', 'the settings that hold for calls, each with the document it comes from, or default')
    .option('--from <caller>', 'with --effective: who calls, as weft explain takes it')
    .option('--to <destination>', 'with --effective: what is called')
    .option('--route <Kind/namespace/name>', 'with --effective: under this route')
    .addOption(outputOption(['wide']))
    .action((kind: string, name: string | undefined, options: GetOptions) =>
      context.action(get)({ ...options, kind, ...(name === undefined ? {} : { name }) }),
    );

  namespaced(operated(program.command('delete <kind> <name>')))
    .description('delete a document everywhere')
    .action((kind: string, name: string, options: Operated) => context.action(remove)({ ...options, kind, name }));

  namespaced(withAgent(program.command('history <kind> <name>')))
    .description('the latest revisions of a document')
    .addOption(outputOption())
    .action((kind: string, name: string, options: Place & Printed) =>
      context.action(history)({ ...options, kind, name }),
    );

  namespaced(operated(program.command('undo <kind-or-revision> [name] [revision]')))
    .description(
      'undo REVISION: what its document said before; undo KIND NAME [REVISION]: an earlier one, in force again',
    )
    .action((what: string, name: string | undefined, revision: string | undefined, options: Operated) =>
      context.action(undo)({
        ...options,
        what,
        ...(name === undefined ? {} : { name }),
        ...(revision === undefined ? {} : { revision }),
      }),
    );

  withAgent(program.command('snapshot <file>'))
    .description('write all documents with their history to a file')
    .action((file: string, options: Place) => context.action(snapshot)({ ...options, file }));

  withAgent(program.command('restore <file>'))
    .description('bring back the documents of a snapshot; later revisions stay in force')
    .action((file: string, options: Place) => context.action(restore)({ ...options, file }));
}

async function diff(options: Place & { readonly file: string }, io: CliIo): Promise<ExitCode> {
  const { readResources } = await import('./document-files.ts');
  const { keyOf } = await import('../documents/resource.ts');
  const { currentOf } = await import('./document-writer.ts');
  const { lineDiff } = await import('./line-diff.ts');
  let isDifferent = false;
  for (const { resource } of readResources(options.file)) {
    const key = keyOf(resource);
    const current = await currentOf(agentPlace(options, io.env), key);
    const { revision: _revision, ...metadata } = resource.metadata;
    const { status: _status, ...wanted } = resource;
    const before = isLive(current) ? await asYaml(current.resource) : '';
    const text = lineDiff(before, await asYaml({ ...wanted, metadata }));
    if (text === '') continue;
    isDifferent = true;
    io.stdout.write(`${said(key)}${isLive(current) ? ` revision ${short(current.revision)}` : ', new'}\n${text}`);
  }
  if (!isDifferent) io.stderr.write('no difference: what is in force is what the file says\n');
  return EXIT.ok;
}

async function get(
  options: GetOptions & { readonly kind: string; readonly name?: string },
  io: CliIo,
): Promise<ExitCode> {
  const { listDocuments } = await import('./document-writer.ts');
  const { name, namespace, output } = options;
  const kind = await canonicalKind(options.kind);
  if (options.effective === true) {
    if (kind !== 'TrafficPolicy') throw new AgentError('WEFT_AGENT_CALL_UNNAMED', `--effective of ${kind}`);
    const { getEffective } = await import('./effective-command.ts');
    return getEffective(options, io);
  }
  const wanted = { kind, ...(name === undefined ? {} : { name }), ...(namespace === undefined ? {} : { namespace }) };
  const found = await listDocuments(agentPlace(options, io.env), wanted);
  if (name !== undefined && !found.some(isLive)) {
    const deleted = found[0];
    const subject = `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
    const how = deleted === undefined ? '' : ` (deleted by revision ${short(deleted.revision)})`;
    throw new AgentError('WEFT_AGENT_DOCUMENT_UNKNOWN', `${subject}${how}`);
  }
  if (output === 'table' || output === 'wide') {
    const { documentsText } = await import('./document-views.ts');
    io.stdout.write(documentsText(found, io.nowMs()));
    for (const view of found) for (const text of view.advice) io.stderr.write(`${said(view)}: ${text}\n`);
    if (output === 'wide' && kind === 'AccessPolicy') await printUse(options, found, io);
    if (found.length === 0) io.stderr.write(`no ${kind}: weft apply -f FILE --operator DIRECTORY publishes one\n`);
    return EXIT.ok;
  }
  const resources = found.filter(isLive).map(withRevision);
  io.stdout.write(await structured(name === undefined ? resources : resources[0], output));
  return EXIT.ok;
}

/** What the rules of these policies did on the node that is asked. */
async function printUse(options: Place, documents: readonly DocumentView[], io: CliIo): Promise<void> {
  const { call } = await import('./client.ts');
  const { accessUseText } = await import('./access-view.ts');
  const view = await call<AccessView>(agentPlace(options, io.env), { method: 'GET', path: '/v1/access' });
  const listed = new Set(documents.map(({ namespace, name }) => `${namespace}/${name}`));
  const policies = view.policies.filter(({ policy }) => listed.has(policy));
  io.stdout.write(`\n${accessUseText({ ...view, policies }, io.nowMs())}`);
}

async function remove(options: Operated & Named, io: CliIo): Promise<ExitCode> {
  const { baseOf, currentOf, loadOperator, writeChange } = await import('./document-writer.ts');
  const key = await keyGiven(options);
  const place = agentPlace(options, io.env);
  const operator = loadOperator(options.operator, io.env);
  const current = await currentOf(place, key);
  if (!isLive(current)) throw new AgentError('WEFT_AGENT_DOCUMENT_UNKNOWN', said(key));
  const change = { key, where: said(key), base: baseOf(current), body: null };
  tell(io, key, 'deleted', await writeChange(change, { place, operator, nowMs: io.nowMs(), isDryRun: false }));
  return EXIT.ok;
}

async function history(options: Place & Printed & Named, io: CliIo): Promise<ExitCode> {
  const { historyOf } = await import('./document-writer.ts');
  const { historyText } = await import('./document-views.ts');
  const key = await keyGiven(options);
  const revisions = await historyOf(agentPlace(options, io.env), key);
  if (revisions.length === 0) throw new AgentError('WEFT_AGENT_DOCUMENT_UNKNOWN', said(key));
  const { output } = options;
  io.stdout.write(output === 'table' ? historyText(revisions, io.nowMs()) : await structured(revisions, output));
  return EXIT.ok;
}

async function snapshot(options: Place & { readonly file: string }, io: CliIo): Promise<ExitCode> {
  const { takeSnapshot } = await import('./snapshot.ts');
  const count = await takeSnapshot(agentPlace(options, io.env), options.file, io.nowMs());
  io.stdout.write(`${count} revisions written to ${options.file}\n`);
  return EXIT.ok;
}

async function restore(options: Place & { readonly file: string }, io: CliIo): Promise<ExitCode> {
  const { restoreSnapshot } = await import('./snapshot.ts');
  const { taken, refused, of } = await restoreSnapshot(agentPlace(options, io.env), options.file);
  io.stdout.write(
    `${taken} of ${of} revisions brought back, ${of - taken - refused.length} already there or outdated\n`,
  );
  for (const line of refused) io.stderr.write(`refused: ${line}\n`);
  return refused.length === 0 ? EXIT.ok : EXIT.failed;
}

/** With the revision it is, so that a file made from it can be applied to exactly that, and what became of it. */
function withRevision(view: DocumentView): unknown {
  const resource = view.resource as { readonly metadata: object };
  const status = view.status === null ? {} : { status: view.status };
  return { ...resource, metadata: { ...resource.metadata, revision: view.revision }, ...status };
}

async function asYaml(value: unknown): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(value, { lineWidth: 0, sortMapEntries: true });
}
