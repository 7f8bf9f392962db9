/** What the admin API says of access: the shapes that the CLI, the console and scripts read. @module */
import type { PolicyTrace } from '../../proxy/access/explain.ts';
import type { AccessAction } from '../../proxy/access/policy.ts';
import type { TrafficView } from '../traffic/explain/views.ts';

export interface ExplainView {
  /** Who answers: the rules and the register are those of this node. */
  readonly node: string;
  readonly at: string;
  readonly from: {
    readonly asked: string;
    /** Null for a caller outside the mesh. */
    readonly identity: string | null;
    /** Null where it may have several. */
    readonly address: string | null;
    /** Of every workload it may be. */
    readonly labels: readonly Readonly<Record<string, string>>[];
    readonly note: string;
  };
  readonly to: string;
  /** 'depends' on the request; 'differs' between the ports or workloads of `answers`. */
  readonly outcome: 'allowed' | 'denied' | 'depends' | 'differs';
  /** How far the clock of this node is off, where that is too far to evaluate rules with a time. */
  readonly clockSkewMs: number | null;
  /** One for all that no rule can tell apart. */
  readonly answers: readonly ExplainAnswer[];
  /** The way of the request, one for each port that was meant. Left out by an agent that tells of access alone. */
  readonly traffic?: readonly TrafficView[];
}

export interface ExplainAnswer {
  readonly destination: {
    readonly namespace: string;
    readonly service: string;
    readonly labels: Readonly<Record<string, string>>;
    /** Where the application listens. */
    readonly port: number;
    /** What callers dial. */
    readonly servicePort: number;
    readonly protocol: string;
    readonly endpoints: readonly string[];
  };
  /** What rules see: a request, the connection alone, or whatever request there may be. */
  readonly seen: 'http' | 'opaque' | 'any';
  readonly outcome: 'allowed' | 'denied' | 'depends';
  /**
   * `deny`, `allow`: a rule says so. `no-allow`: an ALLOW is about the destination, and none names the caller. `default`:
   * nothing is about it. `strict`: plaintext, where none is let in. Null: it depends on the request.
   */
  readonly cause: 'deny' | 'allow' | 'no-allow' | 'default' | 'strict' | null;
  readonly decidedBy: {
    readonly policy: string;
    readonly rule: string;
    readonly action: AccessAction;
    readonly revision: string;
  } | null;
  readonly notes: readonly string[];
  /** All there are, with what kept each from deciding. */
  readonly policies: readonly PolicyTrace[];
}

/** The rules in use on a node, and how often each decided there, or would have. */
export interface AccessView {
  readonly node: string;
  readonly defaultAction: 'ALLOW' | 'DENY';
  /** See ExplainView. */
  readonly clockSkewMs: number | null;
  readonly policies: readonly PolicyUse[];
  /** Calls that no rule named decided: by the default, or because an ALLOW is about their destination and none holds. */
  readonly otherwise: { readonly byDefault: Hits; readonly noAllow: Hits; readonly dryRunNoAllow: Hits };
  readonly permissive: readonly PermissiveUse[];
}

export interface PolicyUse {
  readonly policy: string;
  readonly revision: string;
  readonly action: AccessAction;
  readonly isDryRun: boolean;
  readonly validFrom: string | null;
  readonly validUntil: string | null;
  readonly rules: readonly ({ readonly rule: string } & Hits)[];
}

export interface PermissiveUse {
  readonly namespace: string;
  readonly service: string;
  readonly port: number;
  readonly until: string;
  /** Who still calls in plaintext. */
  readonly callers: readonly ({ readonly address: string } & Hits)[];
}

export interface Hits {
  readonly count: number;
  readonly lastAt: string | null;
}
