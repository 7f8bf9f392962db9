/** `weft check`: the first thing to run and the last. @module */
import type { Command } from 'commander';
import { type CheckReport, fail, ok, reportOf } from '../check/report.ts';
import { AgentError } from '../errors.ts';
import { type AgentPlace, agentPlace, formatPlace, withAgent } from './agent-place.ts';
import { EXIT } from './exit-codes.ts';
import { outputOption } from './listing-commands.ts';
import { type OutputFormat, structured } from './output.ts';
import type { Context } from './program.ts';
import { checkText } from './views.ts';

type CheckOptions = Parameters<typeof agentPlace>[0] & {
  readonly output: OutputFormat;
  readonly config?: string;
  readonly pre?: boolean;
};

export function addCheckCommand(program: Command, context: Context): void {
  withAgent(program.command('check'))
    .description('whether machine, node and mesh are in order, and what to do where they are not')
    .option('-c, --config <file>', 'agent.yaml to check where no agent runs')
    .option('--pre', 'check whether an agent would start; none is expected to run')
    .addOption(outputOption())
    .action(
      context.action<CheckOptions>(async (options, io) => {
        const place = agentPlace(options, io.env);
        const report =
          options.pre === true ? await withoutAgent(options.config) : await throughAgent(place, options.config);
        io.stdout.write(options.output === 'table' ? checkText(report) : await structured(report, options.output));
        return report.isOk ? EXIT.ok : EXIT.failed;
      }),
    );
}

/** The agent's own answer; when none comes, that is a failure, and the rest is asked of the machine and the files. */
async function throughAgent(place: AgentPlace, config: string | undefined): Promise<CheckReport> {
  const { ask } = await import('./client.ts');
  try {
    const { results } = await ask(place, '/v1/check');
    return reportOf([ok('agent', `answers on ${formatPlace(place)}`), ...results]);
  } catch (err) {
    if (!(err instanceof AgentError) || err.code !== 'WEFT_AGENT_UNREACHABLE') throw err;
    const fix =
      'start it: weft agent -c FILE; or name it with --socket or --address. Before the first start: weft check --pre';
    const { results } = await withoutAgent(config);
    return reportOf([fail('agent', `does not answer on ${err.subject}`, fix), ...results]);
  }
}

async function withoutAgent(file: string | undefined): Promise<CheckReport> {
  const [{ loadConfig }, { checkBeforeStart }] = await Promise.all([
    import('../config.ts'),
    import('../check/check.ts'),
  ]);
  return checkBeforeStart(loadConfig(file));
}
