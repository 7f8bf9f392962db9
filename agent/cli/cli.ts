/** `weft`: one binary for the agent and for everything an operator types. @module */
import { Command, CommanderError } from 'commander';
import { AgentError, messageOf } from '../errors.ts';
import { weftVersion } from '../version.ts';
import { addAuditCommand } from './audit-command.ts';
import { addCatalogCommand } from './catalog-command.ts';
import { addCertCommand } from './cert-command.ts';
import { addCheckCommand } from './check-command.ts';
import { addDocumentCommands } from './document-commands.ts';
import { addEventsCommand } from './events-command.ts';
import { EXIT, type ExitCode, exitCodeHelp } from './exit-codes.ts';
import { addExplainCommand } from './explain-command.ts';
import type { CliIo } from './io.ts';
import { addJoinCommand } from './join-command.ts';
import { addListingCommands } from './listing-commands.ts';
import { addLogsCommands } from './logs-command.ts';
import type { Context } from './program.ts';
import { addRevokeCommand } from './revoke-command.ts';
import { addRunCommands } from './run-commands.ts';
import { addSimulateCommand } from './simulate-command.ts';
import { addSloCommand } from './slo-command.ts';
import { addTapCommands } from './tap-command.ts';
import { addTokenCommand } from './token-command.ts';
import { addTrustCommands } from './trust-commands.ts';

/**
 * Runs one command. Modules that only some commands need are loaded by these, so that `weft status` starts fast.
 *
 * @param argv what follows the program's name
 * @returns the exit code; every error has been printed by then
 */
export async function runCli(argv: readonly string[], io: CliIo): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  const context: Context = {
    action: (action) => async (options) => {
      code = await action(options, io);
    },
  };
  try {
    await createProgram(io, context).parseAsync(argv, { from: 'user' });
    return code;
  } catch (err) {
    if (err instanceof CommanderError) return err.exitCode === 0 ? EXIT.ok : EXIT.usage; // commander has said why
    io.stderr.write(`weft: ${messageOf(err)}\n`);
    if (isUnforeseen(err) && io.env.WEFT_DEBUG === undefined)
      io.stderr.write('Set WEFT_DEBUG=1 to see where it happened.\n');
    if (io.env.WEFT_DEBUG !== undefined && err instanceof Error) io.stderr.write(`${err.stack ?? ''}\n`);
    return exitCodeOf(err);
  }
}

function createProgram(io: CliIo, context: Context): Command {
  const program = new Command('weft')
    .description('A service mesh without a control plane.')
    .version(weftVersion(), '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .showHelpAfterError('(add --help for what is allowed)')
    .addHelpText('after', exitCodeHelp());
  addTrustCommands(program, context);
  addTokenCommand(program, context);
  addJoinCommand(program, context);
  addRunCommands(program, context);
  addListingCommands(program, context);
  addDocumentCommands(program, context);
  addAuditCommand(program, context);
  addEventsCommand(program, context);
  addSloCommand(program, context);
  addExplainCommand(program, context);
  addLogsCommands(program, context);
  addTapCommands(program, context);
  addRevokeCommand(program, context);
  addCatalogCommand(program, context);
  addCertCommand(program, context);
  addCheckCommand(program, context);
  addSimulateCommand(program, context);
  program
    .command('version')
    .description('print the version')
    .action(
      context.action(async () => {
        io.stdout.write(`${weftVersion()}\n`);
        return EXIT.ok;
      }),
    );
  return program;
}

function exitCodeOf(err: unknown): ExitCode {
  if (!(err instanceof AgentError)) return EXIT.failed;
  switch (err.code) {
    case 'WEFT_AGENT_UNREACHABLE':
      return EXIT.unreachable;
    case 'WEFT_AGENT_CONFIG_INVALID':
    case 'WEFT_AGENT_CONFIG_UNREADABLE':
    case 'WEFT_AGENT_DOCUMENT_INVALID':
    case 'WEFT_AGENT_DOCUMENT_REFUSED':
    case 'WEFT_AGENT_SNAPSHOT_INVALID':
    case 'WEFT_AGENT_REVOKE_SUBJECT':
    case 'WEFT_AGENT_ROTATION_STAGE':
      return EXIT.refused;
    default:
      return EXIT.failed;
  }
}

/** Errors of ours carry a code and say what to do; anything else is a surprise. */
function isUnforeseen(err: unknown): boolean {
  return !(err instanceof Error && 'code' in err && String(err.code).startsWith('WEFT_'));
}
