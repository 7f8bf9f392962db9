/** `weft simulate`: what the mesh does under failures, in virtual time, replayed from a seed. @module */
import type { Command } from 'commander';
import { EXIT } from './exit-codes.ts';
import type { Context } from './program.ts';

export interface SimulateOptions {
  readonly nodes?: string;
  readonly seed: string;
  readonly output: 'table' | 'json' | 'html';
}

export function addSimulateCommand(program: Command, context: Context): void {
  program
    .command('simulate [scenario]')
    .option('-n, --nodes <count>', 'how many nodes; default: what the scenario says')
    .option('-s, --seed <number>', 'the same seed gives the same run', '1')
    .option('-o, --output <format>', 'how to print', 'table')
    .action(async (scenario: string | undefined, options: SimulateOptions) => {
      await context.action<SimulateOptions>(async (given, io) => {
        const [{ loadScenario }, { runScenario }] = await Promise.all([
          import('../../simulations/scenarios/load.ts'),
          import('../../simulations/run.ts'),
        ]);
        const loaded = loadScenario(scenario ?? 'crash');
        const nodes = Number(given.nodes ?? loaded.nodes);
        const { result } = runScenario({ scenario: loaded, nodes, seed: Number(given.seed), realMs: io.nowMs });
        io.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
        return EXIT.ok;
      })(options);
    });
}
