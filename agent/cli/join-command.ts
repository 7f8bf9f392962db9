/** `weft join`: makes this machine a node of a mesh, with a token. Before its agent runs, or while it does. @module */
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { type HostPort, parseHostPort } from '../../gossip/edge/address.ts';
import { EXIT } from './exit-codes.ts';
import type { Context } from './program.ts';

interface JoinOptions {
  readonly token: string;
  readonly address: HostPort;
  readonly out: string;
  readonly name?: string;
}

const DEFAULT_PORT = 15_012;

export function addJoinCommand(program: Command, context: Context): void {
  program
    .command('join')
    .description('get a node bundle from an issuer; the key is made here and stays here')
    .argument('<token>', 'as weft token create printed it; @FILE reads it from a file, @/dev/stdin from a pipe')
    .argument('<issuer>', 'address of the join listener of an issuer, such as 10.0.0.11:15012', toAddress)
    .requiredOption('--out <directory>', 'where to write node.key, node.crt and roots.crt')
    .option('--name <node>', 'name of this node in the mesh, unless the token says it')
    .action((token: string, address: HostPort, options: Omit<JoinOptions, 'token' | 'address'>) =>
      context.action<JoinOptions>(async ({ out, name }, io) => {
        const { join } = await import('../join/client.ts');
        const request = { token: readToken(token), address, directory: out, signal: io.signal };
        const joined = await join(name === undefined ? request : { ...request, name });
        const until = new Date(joined.expiresAtMs).toISOString();
        io.stdout.write(`This is ${joined.name} of ${joined.trustDomain}, granted ${joined.grant.join(', ')}, until ${until}.
Its bundle is in ${out}; the agent renews it by itself. Set certs.bundleDirectory to it in agent.yaml, and gossip.seeds.\n`);
        return EXIT.ok;
      })({ ...options, token, address }),
    );
}

/** Whoever may list processes reads a token off the command line until it is used; a file can be kept from them. */
function readToken(written: string): string {
  return written.startsWith('@') ? readFileSync(written.slice(1), 'utf8').trim() : written;
}

function toAddress(text: string): HostPort {
  const address = parseHostPort(/:\d+$/.test(text) ? text : `${text}:${DEFAULT_PORT}`);
  if (address === undefined) throw new InvalidArgumentError('Write host:port, such as 10.0.0.11:15012.');
  return address;
}
