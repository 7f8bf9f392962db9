/** What ways through the data plane share within a worker. @module */

import type { CertificateMemory } from '../../certs/memory.ts';
import type { Http2Config, ProxyConfig, TunnelConfig } from '../config.ts';
import type { HttpContext } from '../http/exchange.ts';
import type { GuardContext } from '../inbound/guard.ts';
import type { GuardedConnections } from '../inbound/guarded.ts';
import type { SharedReader } from '../listeners/shared-reader.ts';
import type { SharedTable } from '../resilience/shared-table.ts';
import type { MeshSessions } from '../sessions.ts';
import type { Sockets } from '../sockets.ts';
import type { World } from '../world.ts';
import type { MeshDialContext } from './dial.ts';
import type { AppWatch } from './local-target.ts';
import type { TlsSessions } from './tls-sessions.ts';

export interface RouteContext extends HttpContext, GuardContext, AppWatch {
  readonly clientAddress: ProxyConfig['clientAddress'];
  readonly guarded: GuardedConnections;
  readonly world: World;
  readonly shared: SharedTable;
  readonly sockets: Sockets;
  readonly reader: SharedReader;
  readonly memory: CertificateMemory;
  readonly sessions: MeshSessions;
  readonly tlsSessions: TlsSessions;
  readonly random: () => number;
  readonly tunnel: TunnelConfig;
  readonly http2: Http2Config;
}

/** The part of the context that dialling needs. */
export function dialContext(context: RouteContext): MeshDialContext {
  const { sockets, reader, upstream: config, stats, memory, sessions, tlsSessions } = context;
  return { sockets, reader, config, stats, memory, sessions, tlsSessions };
}
