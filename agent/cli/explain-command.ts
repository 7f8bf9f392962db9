/** `weft explain`: which way a request takes, whether it is let in, and which documents say so. Any agent answers. @module */
import type { Command } from 'commander';
import type { ExplainView } from '../access/views.ts';
import { agentPlace, withAgent } from './agent-place.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { CliIo } from './io.ts';
import { outputOption } from './listing-commands.ts';
import { type OutputFormat, structured } from './output.ts';
import type { Context } from './program.ts';

type ExplainOptions = Parameters<typeof agentPlace>[0] & {
  readonly from: string;
  readonly to: string;
  readonly host?: string;
  readonly header?: readonly string[];
  readonly method?: string;
  readonly path?: string;
  readonly output: OutputFormat;
};

export function addExplainCommand(program: Command, context: Context): void {
  withAgent(program.command('explain [method] [path]'))
    .description(
      'which way a request takes, whether it is let in, and which documents say so; without METHOD, what holds for all',
    )
    .requiredOption('--from <caller>', 'namespace/service, a workload, a SPIFFE id, or an IP address')
    .requiredOption('--to <destination>', 'service[:port], namespace/service[:port], an endpoint, or address[:port]')
    .option('--host <host>', 'Host of the request; the name of the service when left out')
    .option('-H, --header <header...>', "headers of the request: 'name: value', or name=value")
    .addOption(outputOption())
    .addHelpText('after', '\nExits with 0 when the call is let in, and with 5 when it is not, or not always.')
    .action((method: string | undefined, path: string | undefined, options: ExplainOptions) =>
      context.action(explain)({
        ...options,
        ...(method === undefined ? {} : { method }),
        ...(path === undefined ? {} : { path }),
      }),
    );
}

async function explain(options: ExplainOptions, io: CliIo): Promise<ExitCode> {
  const { call } = await import('./client.ts');
  const { explainText } = await import('./explain-view.ts');
  const { from, to, method, path, host, header = [], output } = options;
  const asked = new URLSearchParams({ from, to });
  if (method !== undefined) {
    asked.set('method', method);
    asked.set('path', path ?? '/');
    if (host !== undefined) asked.set('host', host);
    for (const one of header) asked.append('header', asPair(one));
  }
  const view = await call<ExplainView>(agentPlace(options, io.env), { method: 'GET', path: `/v1/explain?${asked}` });
  io.stdout.write(output === 'table' ? explainText(view, io.nowMs()) : await structured(view, output));
  return view.outcome === 'allowed' ? EXIT.ok : EXIT.denied;
}

/** `name: value`, as people paste it, is `name=value` to the agent; what is neither it will refuse. */
function asPair(header: string): string {
  const [, name, value] = /^([^:=\s]+)\s*:\s*(.*)$/s.exec(header) ?? [];
  return name === undefined ? header : `${name}=${value}`;
}
