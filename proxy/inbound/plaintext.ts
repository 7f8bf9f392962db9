/**
 * Connections from outside the mesh, captured on their way to an application. STRICT, which is the default: they are not
 * even read. A port may be PERMISSIVE for a while: then they are let in as a caller without identity, under the same rules.
 * @module
 */

import type { Socket } from 'node:net';
import type { ListenerSpec } from '../listeners/listener-spec.ts';
import { plainAddress } from '../sockets.ts';
import { reset } from '../tcp/reset.ts';
import type { Call } from './call.ts';
import { type InboundContext, serveBytes } from './serve.ts';

/** Takes a connection accepted on an inbound listener. */
export function acceptPlaintext(socket: Socket, spec: ListenerSpec, context: InboundContext): void {
  const { stats, recorder } = context;
  const call = callOf(socket, spec, context);
  if (call === undefined) {
    stats.count('plaintextRefused');
    reset({ socket, transport: socket });
    return;
  }
  stats.count('plaintextAccepted');
  recorder.plaintext(call);
  serveBytes({ socket, transport: socket, call, leftover: undefined }, context);
}

/** @returns undefined for whom there is no way in */
function callOf(socket: Socket, { unit }: ListenerSpec, { sockets, world }: InboundContext): Call | undefined {
  const original = sockets.originalDestination(socket);
  const address = plainAddress(socket.remoteAddress);
  if (original === undefined || address === undefined) return undefined;
  const target = world.plaintextTarget(unit, original.address, original.port);
  return target?.isPermissive === true ? { identity: undefined, address, target } : undefined;
}
