/** Documents about traffic as their kinds compile them: plain data, with what they refer to still unresolved. @module */

import type {
  Affinity,
  CallTarget,
  Fault,
  HeaderEdits,
  HttpActions,
  HttpMatch,
  PolicySettings,
  RateLimit,
  RouteRetry,
} from '../../proxy/traffic/rules.ts';
import type { DeclaredService } from '../services.ts';

/** Of those that claim one port of a service, the first in this order has it. */
export const ROUTE_KINDS = ['GRPCRoute', 'HTTPRoute', 'TLSRoute', 'TCPRoute'] as const;
export type RouteKind = (typeof ROUTE_KINDS)[number];

export interface CompiledRoute {
  readonly kind: RouteKind;
  readonly namespace: string;
  readonly name: string;
  /** 0 where nobody said. */
  readonly createdAtMs: number;
  readonly parents: readonly ParentRef[];
  readonly http: readonly HttpDraft[];
  readonly streams: readonly StreamDraft[];
  /** What is taken and has no effect here: told to whoever writes it. */
  readonly notes: readonly string[];
}

/** Of a Service, once the namespace is filled in. */
export interface ParentRef {
  /** '' for Kubernetes' core group. */
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly sectionName?: string;
  readonly port?: number;
}

export interface BackendRef {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly port?: number;
  readonly weight: number;
  readonly subset?: string;
  readonly requestHeaders?: HeaderEdits;
  readonly responseHeaders?: HeaderEdits;
}

export interface HttpDraft {
  readonly name: string;
  readonly matches: readonly HttpMatch[];
  readonly actions: Omit<HttpActions, 'mirrors'>;
  readonly mirrors: readonly { readonly backend: BackendRef; readonly percent: number }[];
  readonly backends: readonly BackendRef[];
  readonly timeouts: { readonly requestMs?: number; readonly backendRequestMs?: number };
  readonly retry?: RouteRetry;
  readonly affinity?: Affinity;
  /** Why requests under it are answered with a 500: it asks for what this version cannot do. */
  readonly problem?: string;
}

export interface StreamDraft {
  readonly name: string;
  readonly serverNames: readonly string[];
  readonly backends: readonly BackendRef[];
}

/** Lets routes of one namespace refer to services of another. */
export interface CompiledGrant {
  readonly namespace: string;
  readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
  /** No name: all of that kind. */
  readonly to: readonly { readonly group: string; readonly kind: string; readonly name?: string }[];
}

export interface CompiledService {
  readonly namespace: string;
  readonly name: string;
  /** None: whoever names the service. */
  readonly selector: Readonly<Record<string, string>>;
  readonly ports: readonly ServicePort[];
  /** 'headless' and 'external' have no address of their own, and so no routes. */
  readonly type: 'virtual' | 'headless' | 'external';
}

export interface ServicePort {
  /** '' where a single port has none. */
  readonly name: string;
  readonly port: number;
  /** Where the application listens, or the name of its port. */
  readonly targetPort: number | string;
  readonly protocol: 'http' | 'http2' | 'tcp' | 'auto';
}

export interface CompiledPolicy {
  readonly target: CallTarget;
  readonly settings: PolicySettings;
}

export type CompiledLimit = Omit<RateLimit, 'origin'>;

/** Until when follows from when it was written. */
export type CompiledFault = Omit<Fault, 'origin' | 'untilMs'> & { readonly ttlMs: number };

/** What the data plane is to make of a document: nothing of one whose service has no address of its own. */
export function declaredService({
  namespace,
  name,
  selector,
  ports,
  type,
}: CompiledService): readonly DeclaredService[] {
  if (type !== 'virtual') return [];
  const isSelecting = Object.keys(selector).length > 0;
  return [{ namespace, service: name, ports, ...(isSelecting ? { selector } : {}) }];
}
