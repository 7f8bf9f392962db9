/** Commands that run something until they are stopped: the agent, the demo. @module */
import { type Command, InvalidArgumentError } from 'commander';
import { EXIT } from './exit-codes.ts';
import type { Context } from './program.ts';

interface DemoOptions {
  readonly check?: boolean;
  readonly loopback?: boolean;
  readonly view: boolean;
  readonly seconds?: number;
  readonly rate: number;
}

export function addRunCommands(program: Command, context: Context): void {
  program
    .command('agent')
    .description('run the agent of this node')
    .option('-c, --config <file>', 'agent.yaml; without it, a mesh of one node on embedded defaults')
    .option('--take-over', 'take over from the agent that runs on this node, without a lost connection; then it ends')
    .action(
      context.action<{ readonly config?: string; readonly takeOver?: boolean }>(
        async ({ config: file, takeOver }, io) => {
          const { loadConfig } = await import('../config.ts');
          const config = loadConfig(file);
          const { runAgent } = await import('../agent.ts');
          await runAgent(config, io.signal, { takeOver: takeOver ?? false });
          return EXIT.ok;
        },
      ),
    );

  program
    .command('demo')
    .description('a mesh of three nodes and a small shop on this machine, under traffic')
    .option('--check', 'prove that it works, print one JSON object, and end')
    .option('--loopback', 'without network namespaces and capture, as it runs without root')
    .option('--no-view', 'no live view, only what happens')
    .option('--seconds <n>', 'end after this many seconds', (text) => toCount(text, 'seconds'))
    .option('--rate <n>', 'visits a second, each of five requests', (text) => toCount(text, 'visits a second'), 100)
    .action(
      context.action<DemoOptions>(async ({ check = false, loopback, view, seconds, rate }) => {
        const { runDemo } = await import('../demo/demo.ts');
        const code = await runDemo({
          check,
          view,
          perSecond: rate,
          ...(loopback === undefined ? {} : { loopback }),
          ...(seconds === undefined ? {} : { seconds }),
        });
        if (code === EXIT.interrupted) return EXIT.interrupted;
        return code === 0 ? EXIT.ok : EXIT.failed;
      }),
    );
}

function toCount(text: string, unit: string): number {
  const count = Number(text);
  if (!/^\d{1,6}$/.test(text) || count === 0) throw new InvalidArgumentError(`Write a whole number of ${unit}.`);
  return count;
}
