/** Commands that show what a running agent knows. @module */
import { type Command, Option } from 'commander';
import { agentPlace, withAgent } from './agent-place.ts';
import { addCaptureCleanCommand } from './capture-clean-command.ts';
import type { ask } from './client.ts';
import { EXIT } from './exit-codes.ts';
import { OUTPUT_FORMATS, type OutputFormat, structured } from './output.ts';
import type { Action, Context } from './program.ts';
import { showRevision } from './revision-command.ts';
import {
  captureText,
  endpointsText,
  membersText,
  membersWideText,
  servicesText,
  statusText,
  workloadsText,
} from './views.ts';

type Path = Parameters<typeof ask>[1];
type Answer<P extends Path> = Awaited<ReturnType<typeof ask<P>>>;

interface Listing<P extends Path> {
  readonly path: P;
  readonly text: (answer: Answer<P>, nowMs: number) => string;
  /** For `-o wide`, where there is one. */
  readonly wide?: (answer: Answer<P>, nowMs: number) => string;
  /** Said on standard error when there is nothing to list. */
  readonly ifEmpty?: string;
}

type AgentOptions = Parameters<typeof agentPlace>[0];
type ListingOptions = AgentOptions & { readonly output: OutputFormat | 'wide' };
type StatusOptions = AgentOptions & { readonly output: OutputFormat };

export function addListingCommands(program: Command, context: Context): void {
  const add = <P extends Path>(command: Command, listing: Listing<P>) =>
    withAgent(command)
      .addOption(listing.wide === undefined ? outputOption() : outputOption(['wide']))
      .action(context.action(show(listing)));

  const status = show({ path: '/v1/status', text: statusText });
  withAgent(program.command('status [revision]'))
    .description('how this node is; with a revision of a document, how all nodes fare with it')
    .addOption(outputOption())
    .action((revision: string | undefined, options: StatusOptions) =>
      revision === undefined ? context.action(status)(options) : context.action(showRevision)({ ...options, revision }),
    );
  add(program.command('members').description('the nodes of the mesh and their state'), {
    path: '/v1/members',
    text: membersText,
    wide: membersWideText,
  });
  add(program.command('services').description('the services that workloads can call'), {
    path: '/v1/services',
    text: servicesText,
    ifEmpty: 'no services: no node of the mesh has a workload with a port; weft workloads shows those of this node',
  });
  add(program.command('endpoints').description('the addresses behind the services'), {
    path: '/v1/endpoints',
    text: endpointsText,
    ifEmpty: 'no endpoints: no node of the mesh has a workload with a port; weft workloads shows those of this node',
  });
  add(program.command('workloads').description('the workloads of this node'), {
    path: '/v1/workloads',
    text: ({ workloads }, nowMs) => workloadsText(workloads, nowMs),
    ifEmpty: 'no workloads: put workload files into the workloads directory; weft status lists those that are refused',
  });
  const capture = program.command('capture').description('how traffic is captured on this node');
  add(capture.command('show').description('captured namespaces, listeners and rules'), {
    path: '/v1/capture',
    text: captureText,
    ifEmpty: 'nothing is captured: no workload runs in a network namespace, or capture.mode is none',
  });
  addCaptureCleanCommand(capture, context);
}

export function outputOption(more: readonly string[] = []): Option {
  return new Option('-o, --output <format>', 'how to print').choices([...OUTPUT_FORMATS, ...more]).default('table');
}

function show<P extends Path>({ path, text, wide = text, ifEmpty }: Listing<P>): Action<ListingOptions> {
  return async (options, io) => {
    const { ask } = await import('./client.ts');
    const answer = await ask(agentPlace(options, io.env), path);
    const { output } = options;
    if (output === 'table') io.stdout.write(text(answer, io.nowMs()));
    else if (output === 'wide') io.stdout.write(wide(answer, io.nowMs()));
    else io.stdout.write(await structured(answer, output));
    if (ifEmpty !== undefined && isEmpty(answer)) io.stderr.write(`${ifEmpty}\n`);
    return EXIT.ok;
  };
}

function isEmpty(answer: unknown): boolean {
  if (Array.isArray(answer)) return answer.length === 0;
  return typeof answer === 'object' && answer !== null && 'workloads' in answer && isEmpty(answer.workloads);
}
