/** `weft cert`: certificates of the trust domain as a whole. Takes the key of its root. @module */
import type { Command } from 'commander';
import type { RevisionStatusView } from '../documents/views.ts';
import { AgentError } from '../errors.ts';
import type { TrustView } from '../rotation/views.ts';
import { type AgentPlace, agentPlace, withAgent } from './agent-place.ts';
import { toMs } from './durations.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { CliIo } from './io.ts';
import { outputOption } from './listing-commands.ts';
import { type OutputFormat, span, structured, table } from './output.ts';
import type { Context } from './program.ts';

type Place = Parameters<typeof agentPlace>[0];

interface RotateOptions extends Place {
  readonly trust: string;
  readonly operator?: string;
  readonly without: readonly string[];
  readonly wait: number;
  readonly newIssuer?: boolean;
}

type StatusOptions = Place & { readonly output: OutputFormat };

const STEPS = {
  begin: 'make a new root, let all nodes trust both, and move their certificates to it',
  finish: 'retire the old root, once the certificates of all nodes lead to the new one',
  abort: 'go back to the old root alone',
} as const;

export function addCertCommand(program: Command, context: Context): void {
  const rotate = program
    .command('cert')
    .description('certificates of the trust domain')
    .command('rotate-root')
    .description('replace the root while everything runs: begin, then finish or abort');
  for (const step of ['begin', 'finish', 'abort'] as const) {
    const command = withAgent(rotate.command(step))
      .description(STEPS[step])
      .requiredOption('--trust <directory>', 'the trust domain, as weft init wrote it, with the key of its root')
      .option('--operator <directory>', 'operator.key and operator.crt to sign with (or WEFT_OPERATOR)')
      .option('--without <node...>', 'nodes not to wait for; they must follow later, or be issued anew', [])
      .option('--wait <duration>', 'longest to wait for all nodes, at each step', toMs, toMs('30s'));
    if (step === 'begin') {
      command.option('--new-issuer', 'give the issuer another key too, because the old one may be known to others');
    }
    command.action(
      context.action<RotateOptions>(async (options, io) => {
        const { RootRotationDesk } = await import('../rotation/rotate-root.ts');
        const operatorDirectory = options.operator ?? io.env.WEFT_OPERATOR ?? '';
        if (operatorDirectory === '') throw new AgentError('WEFT_AGENT_NO_OPERATOR', 'no operator');
        const desk = new RootRotationDesk({
          place: agentPlace(options, io.env),
          trustDirectory: options.trust,
          operatorDirectory,
          without: options.without,
          isNewIssuer: options.newIssuer ?? false,
          patienceMs: options.wait,
          io,
        });
        await desk[step]();
        return EXIT.ok;
      }),
    );
  }
  withAgent(rotate.command('status'))
    .description('which roots are trusted, and to which of them the certificates of all nodes lead')
    .option('--trust <directory>', 'not needed: the agent is asked')
    .option('--operator <directory>', 'not needed: nothing is signed')
    .addOption(outputOption())
    .action(
      context.action<StatusOptions>(async (options, io) => {
        return printStatus(agentPlace(options, io.env), options.output, io);
      }),
    );
}

/** A node of the mesh, with how it takes the roots that are in force. */
interface NodeRow {
  readonly node: string;
  readonly state: string;
  /** `applied`, `pending` or `rejected`; empty when no root was ever rotated. */
  readonly follows: string;
  readonly why: string;
  /** Fingerprint; empty when none is known. */
  readonly leadsTo: string;
}

async function printStatus(place: AgentPlace, output: OutputFormat, io: CliIo): Promise<ExitCode> {
  const { call } = await import('./client.ts');
  const trust = await call<TrustView>(place, { method: 'GET', path: '/v1/trust' });
  const nodes = await nodeRows(place, trust);
  const isUnderWay = trust.roots.length > 1;
  if (output !== 'table') {
    const { trustDomain, sequence, roots } = trust;
    io.stdout.write(await structured({ trustDomain, isUnderWay, sequence, roots, nodes }, output));
    return EXIT.ok;
  }
  io.stdout.write(
    isUnderWay ? 'A rotation of the root is under way.\n\n' : 'No rotation of the root is under way.\n\n',
  );
  const nowMs = io.nowMs();
  io.stdout.write(
    table(trust.roots, [
      { heading: 'ROOT', text: ({ fingerprint }) => fingerprint.slice(0, 16) },
      { heading: 'EXPIRES IN', text: ({ expiresAt }) => span(Date.parse(expiresAt) - nowMs) },
      {
        heading: 'NODES',
        text: ({ fingerprint }) => String(nodes.filter(({ leadsTo }) => leadsTo === fingerprint).length),
      },
    ]),
  );
  io.stdout.write('\n');
  io.stdout.write(
    table(nodes, [
      { heading: 'NODE', text: ({ node }) => node },
      { heading: 'STATE', text: ({ state }) => state },
      { heading: 'LEADS TO', text: ({ leadsTo }) => leadsTo.slice(0, 16) },
      { heading: 'FOLLOWS', text: ({ follows }) => follows },
      { heading: 'WHY', text: ({ why }) => why },
    ]),
  );
  return EXIT.ok;
}

async function nodeRows(place: AgentPlace, { members }: TrustView): Promise<readonly NodeRow[]> {
  const [{ call }, { currentOf }, { TRUST_BUNDLE_KEY }] = await Promise.all([
    import('./client.ts'),
    import('./document-writer.ts'),
    import('../documents/trust-bundle.ts'),
  ]);
  const current = await currentOf(place, TRUST_BUNDLE_KEY);
  const path = `/v1/documents/status?revision=${current?.revision}`;
  const [status] =
    current === undefined ? [] : await call<readonly RevisionStatusView[]>(place, { method: 'GET', path });
  return members.map(({ name, state, root }) => {
    const said = status?.nodes.find(({ node }) => node === name);
    return { node: name, state, follows: said?.state ?? '', why: said?.why ?? '', leadsTo: root };
  });
}
