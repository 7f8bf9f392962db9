/** What the admin API says of the way of a request: the shapes that the CLI, the console and scripts read. @module */

/** Where something is written. */
export interface SourceView {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly revision: string;
  /** Of a route; else ''. */
  readonly rule: string;
}

export interface SettingView {
  /** As documents call it: `timeouts.request`. Of a group that is switched off, the group. */
  readonly setting: string;
  /** As documents write it, lengths of time as `2s`; null for none. */
  readonly value: unknown;
  /** Null for a default. */
  readonly source: SourceView | null;
}

/** Answer of `weft get trafficpolicy --effective`. */
export interface EffectiveView {
  readonly node: string;
  readonly from: string;
  /** 'namespace/service:port', one for each port that was meant. */
  readonly calls: readonly {
    readonly to: string;
    readonly settings: readonly SettingView[];
    /** Of the route that was asked for: what its rules say themselves, which goes before the settings. */
    readonly rules: readonly { readonly rule: string; readonly settings: readonly SettingView[] }[];
  }[];
}

/** The way of a request to one port, as this node would send it. */
export interface TrafficView {
  /** 'namespace/service'. */
  readonly service: string;
  readonly port: number;
  readonly protocol: string;
  /** Whose routes the caller's requests fall under: `producer` those for all callers, `consumer` those of its namespace. */
  readonly routes: 'none' | 'producer' | 'consumer';
  readonly notes: readonly string[];
  /** Matches of the routes in the order of precedence. */
  readonly considered: readonly MatchView[];
  /** How many more there are. */
  readonly leftOut: number;
  /** What becomes of such requests, each with its share of them; none: a 404. */
  readonly ways: readonly WayView[];
}

export interface MatchView {
  readonly source: SourceView;
  /** Of the match among those of its rule, from 1. */
  readonly match: number;
  readonly outcome: 'won' | 'lost' | 'failed';
  readonly why: string;
}

export interface WayView {
  /** Null where there are no routes. */
  readonly source: SourceView | null;
  /** 0 to 1. */
  readonly share: number;
  readonly filters: readonly { readonly filter: string; readonly detail: string }[];
  /** What the mesh answers by itself, without a backend; null where requests go on. */
  readonly answer: string | null;
  readonly limits: readonly LimitView[];
  readonly faults: readonly FaultView[];
  /** Of the request as a whole: timeouts, retries, budget, circuit, affinity. */
  readonly settings: readonly SettingView[];
  readonly backends: readonly BackendView[];
}

export interface LimitView {
  readonly source: SourceView;
  readonly requestsPerSecond: number;
  readonly burst: number;
  readonly per: string;
  readonly isShadow: boolean;
  /** Whose node counts. */
  readonly at: 'caller' | 'destination';
}

export interface FaultView {
  readonly source: SourceView;
  /** What happens to which share. */
  readonly effects: readonly string[];
  readonly until: string;
  /** Of several only the first happens. */
  readonly isFirst: boolean;
}

export interface BackendView {
  /** 'namespace/service'; '' where the route names none that can be told. */
  readonly service: string;
  readonly port: number;
  readonly subset: string | null;
  /** 0 to 1, of the requests of this way. */
  readonly share: number;
  /** Why its share is answered with a 500; null where it can be used. */
  readonly problem: string | null;
  readonly filters: WayView['filters'];
  /** How one of its endpoints is chosen, and which are left out. */
  readonly settings: readonly SettingView[];
  readonly endpoints: readonly CandidateView[];
  /** How many more there are. */
  readonly endpointsLeftOut: number;
  /** So few are well that all are used. */
  readonly isPanicking: boolean;
  readonly fallbacks: readonly FallbackView[];
}

export interface CandidateView {
  readonly id: string;
  readonly node: string;
  readonly zone: string;
  readonly version: string;
  readonly address: string;
  readonly state: string;
  readonly weight: number;
  readonly near: 'node' | 'zone' | 'region' | 'elsewhere';
  /** Null where the workers of this node have nothing to do with it. */
  readonly isEjected: boolean | null;
  readonly ejectedForMs: number;
  /** How many other nodes eject it. */
  readonly suspectedBy: number;
  /** Whether a request may go there now. */
  readonly isCandidate: boolean;
}

export interface FallbackView {
  readonly to: string;
  readonly source: SourceView | null;
  /** How many endpoints it has that could be used now; null for an answer. */
  readonly usable: number | null;
}
