/** Which agent a command talks to. @module */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { formatSocketAddress, parseSocketAddress, type SocketAddress } from '../addresses.ts';
import { defaultSocket, thisMachine } from '../machine.ts';

/** Where an agent answers. */
export type AgentPlace =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'address'; readonly address: SocketAddress };

export function formatPlace(place: AgentPlace): string {
  return place.kind === 'socket' ? place.path : formatSocketAddress(place.address);
}

interface AgentOptions {
  readonly socket?: string;
  readonly address?: SocketAddress;
}

/** Adds the options that name an agent. */
export function withAgent(command: Command): Command {
  return command
    .addOption(new Option('-s, --socket <path>', 'unix socket of the agent (or WEFT_SOCKET)').conflicts('address'))
    .addOption(new Option('--address <host:port>', 'loopback address of the agent').argParser(toAddress));
}

/** The command line wins over WEFT_SOCKET, and that over the place where an agent of this user listens by itself. */
export function agentPlace({ socket, address }: AgentOptions, env: NodeJS.ProcessEnv): AgentPlace {
  if (address !== undefined) return { kind: 'address', address };
  return { kind: 'socket', path: socket ?? env.WEFT_SOCKET ?? defaultSocket(thisMachine(env)) };
}

function toAddress(text: string): SocketAddress {
  const address = parseSocketAddress(text.replace(/^localhost:/, '127.0.0.1:'));
  if (address === undefined) throw new InvalidArgumentError('Write address:port, such as 127.0.0.1:15000.');
  return address;
}
