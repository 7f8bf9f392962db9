/** `weft capture clean`: lets workloads go whose agent was killed and will not come back. @module */
import type { Command } from 'commander';
import { EXIT } from './exit-codes.ts';
import type { Context } from './program.ts';

export function addCaptureCleanCommand(capture: Command, context: Context): void {
  capture
    .command('clean')
    .description('remove the rules that a killed agent left behind; its workloads then speak in plaintext')
    .option('-c, --config <file>', 'agent.yaml of that agent')
    .action(
      context.action<{ readonly config?: string }>(async ({ config: file }, io) => {
        const { loadConfig } = await import('../config.ts');
        const { answersOn } = await import('../admin/listen.ts');
        const { dataDirectory, admin } = loadConfig(file);
        if (await answersOn(admin.socket)) {
          io.stderr.write(
            `the agent on ${admin.socket} runs, and the rules are its own; stop it and it removes them\n`,
          );
          return EXIT.failed;
        }
        const { Captures } = await import('../captures.ts');
        using captures = Captures.load(dataDirectory);
        const { removed, gone, failed } = await captures.removeAll();
        for (const { unit } of removed) io.stdout.write(`removed from ${unit}\n`);
        for (const { unit } of gone) io.stdout.write(`gone with its namespace: ${unit}\n`);
        for (const { entry, err } of failed) io.stderr.write(`not removed from ${entry.unit}: ${String(err)}\n`);
        if (removed.length + gone.length + failed.length === 0) io.stdout.write('nothing was left behind\n');
        return failed.length === 0 ? EXIT.ok : EXIT.failed;
      }),
    );
}
