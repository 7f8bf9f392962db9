/** `weft catalog`: services of the mesh, what is known of one, how they fare by rule, and all of it for Backstage. @module */
import { type Command, Option } from 'commander';
import type { CatalogDetail, CatalogRow, Scorecard } from '../catalog/rows.ts';
import type { Coverage } from '../mesh-query/shapes.ts';
import { agentPlace, withAgent } from './agent-place.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { CliIo } from './io.ts';
import { outputOption } from './listing-commands.ts';
import { type OutputFormat, structured } from './output.ts';
import type { Context } from './program.ts';

type Options = Parameters<typeof agentPlace>[0] & { readonly output: OutputFormat };

export function addCatalogCommand(program: Command, context: Context): void {
  const catalog = withAgent(program.command('catalog').argument('[service]', 'namespace/service'))
    .description('every service that was seen or declared; with SERVICE, all that is known of it and who says so')
    .addOption(outputOption())
    .action((service: string | undefined, options: Options) =>
      service === undefined ? context.action(list)(options) : context.action(show)({ ...options, service }),
    );
  withAgent(catalog.command('scorecard'))
    .description('how services fare by rule, and what to do about the rest; the worst owner first')
    .addOption(outputOption())
    .action((_options: Options, command: Command) => context.action(scorecard)(command.optsWithGlobals()));
  withAgent(catalog.command('export'))
    .description('catalog-info.yaml of what is declared and what was observed, as Backstage reads it')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['yaml', 'json']).default('yaml'))
    .action((_options: Options, command: Command) => context.action(exportAll)(command.optsWithGlobals()));
}

async function list(options: Options, io: CliIo): Promise<ExitCode> {
  type Answer = { readonly services: readonly CatalogRow[]; readonly coverage: Coverage };
  const answer = await get<Answer>(options, io, '/v1/catalog/services');
  if (options.output !== 'table') return print(answer, options, io);
  const { catalogText } = await import('./catalog-views.ts');
  io.stdout.write(catalogText(answer.services, io.nowMs()));
  if (answer.services.length === 0)
    io.stderr.write('no services: they appear by themselves when a workload is there\n');
  return tellMissing(answer.coverage, io);
}

async function show(options: Options & { readonly service: string }, io: CliIo): Promise<ExitCode> {
  type Answer = { readonly service: CatalogDetail; readonly coverage: Coverage };
  const answer = await get<Answer>(options, io, `/v1/catalog/service?id=${encodeURIComponent(options.service)}`);
  if (options.output !== 'table') return print(answer, options, io);
  const { catalogServiceText } = await import('./catalog-views.ts');
  io.stdout.write(catalogServiceText(answer.service, io.nowMs()));
  return tellMissing(answer.coverage, io);
}

async function scorecard(options: Options, io: CliIo): Promise<ExitCode> {
  const answer = await get<Scorecard & { readonly coverage: Coverage }>(options, io, '/v1/catalog/scorecard');
  if (options.output !== 'table') return print(answer, options, io);
  const { scorecardText } = await import('./catalog-views.ts');
  io.stdout.write(scorecardText(answer));
  return tellMissing(answer.coverage, io);
}

async function exportAll(options: Options, io: CliIo): Promise<ExitCode> {
  const entities = await get<readonly Record<string, unknown>[]>(options, io, '/v1/catalog/export');
  if (options.output === 'json') return print(entities, options, io);
  const { stringify } = await import('yaml');
  io.stdout.write(entities.map((entity) => `---\n${stringify(entity, { lineWidth: 0 })}`).join(''));
  return EXIT.ok;
}

async function get<T>(options: Options, io: CliIo, path: string): Promise<T> {
  const { call } = await import('./client.ts');
  return call<T>(agentPlace(options, io.env), { method: 'GET', path });
}

async function print(value: unknown, { output }: Options, io: CliIo): Promise<ExitCode> {
  io.stdout.write(await structured(value, output === 'json' ? 'json' : 'yaml'));
  return EXIT.ok;
}

function tellMissing({ missing, asked }: Coverage, io: CliIo): ExitCode {
  const nodes = missing.map(({ node, reason }) => `${node} (${reason})`).join(', ');
  if (missing.length > 0) io.stderr.write(`${missing.length} of ${asked} nodes did not answer: ${nodes}\n`);
  return EXIT.ok;
}
