/**
 * Who may call what, as the control thread hands it to the data plane: plain data, structured-cloneable, replaced whole.
 *
 * DENY beats ALLOW beats the default. A DENY that matches refuses. Otherwise an ALLOW that matches lets in. Otherwise
 * a destination that any ALLOW in force is about is closed, and every other one follows `defaultAction`. AUDIT only
 * logs, and so does a policy in dry run: it counts what it would have done.
 * @module
 */

export type AccessAction = 'ALLOW' | 'DENY' | 'AUDIT';

export interface AccessPolicy {
  /** 'namespace/name'. */
  readonly id: string;
  readonly revision: string;
  readonly action: AccessAction;
  /** Matches are counted and logged, and decide nothing. */
  readonly isDryRun: boolean;
  /** In force from this instant on; absent: since ever. */
  readonly validFromMs?: number;
  /** In force before this instant; absent: for ever. */
  readonly validUntilMs?: number;
  readonly target: AccessTarget;
  /** The policy matches when any of them does; without a rule it matches nothing, yet it is about its target. */
  readonly rules: readonly AccessRule[];
}

/** The destinations a policy is about. All that is given must hold. */
export interface AccessTarget {
  /** Absent: the whole mesh. */
  readonly namespace?: string;
  /** Names without namespace; empty: every service. */
  readonly services: readonly string[];
  /** Of the destination workload. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Holds when one of `from`, one of `to` and one of `when` hold; an empty list asks for nothing. */
export interface AccessRule {
  /** Unique within its policy; what logs, counters and `weft explain` call it. */
  readonly name: string;
  readonly from: readonly AccessSource[];
  readonly to: readonly AccessOperation[];
  readonly when: readonly AccessWindow[];
}

/**
 * Who calls. All fields that are not empty must hold.
 *
 * Identities are patterns of a SPIFFE id with or without `spiffe://`: exact, `prefix*`, `*suffix`, and `*` for anybody
 * authenticated. Positive fields about identity, namespace and labels never hold for a caller in plaintext, which has
 * none of these; negative ones do hold for it.
 */
export interface AccessSource {
  readonly identities: readonly string[];
  readonly notIdentities: readonly string[];
  readonly namespaces: readonly string[];
  readonly notNamespaces: readonly string[];
  /** Address ranges; a bare address is a range of one. */
  readonly cidrs: readonly string[];
  readonly notCidrs: readonly string[];
  /** Of the calling workload, as the register has them. */
  readonly labels: Readonly<Record<string, string>>;
}

/** What is called. All fields that are not empty must hold; everything but ports is known for HTTP only. */
export interface AccessOperation {
  /** Where the application listens. */
  readonly ports: readonly number[];
  readonly notPorts: readonly number[];
  /** Exact, in the case they are sent in. */
  readonly methods: readonly string[];
  readonly notMethods: readonly string[];
  /** Patterns of the path without its query: exact, `prefix*`, `*suffix`, `*`. */
  readonly paths: readonly string[];
  readonly notPaths: readonly string[];
  /** Patterns of the authority, case ignored; one without a port holds for any port. */
  readonly hosts: readonly string[];
  readonly notHosts: readonly string[];
  readonly headers: readonly AccessHeader[];
}

export interface AccessHeader {
  /** Case ignored. */
  readonly name: string;
  /** Patterns, any of which may hold for any line of that name; empty: it is enough that the header is there. */
  readonly values: readonly string[];
  /** Turns the answer round. */
  readonly isNot: boolean;
}

/** A part of the week, on the clock of a place. */
export interface AccessWindow {
  /** 0 = Sunday; empty: every day. The day is the one on which the window opens. */
  readonly days: readonly number[];
  /** Minute of the day, 0 to 1439. */
  readonly fromMinute: number;
  /** Minute of the day at which it is over, 0 to 1440; not later than `fromMinute`: on the next day. */
  readonly toMinute: number;
  /** IANA name. */
  readonly timeZone: string;
}

export interface AccessRules {
  readonly policies: readonly AccessPolicy[];
  readonly defaultAction: 'ALLOW' | 'DENY';
  readonly permissive: readonly PermissivePort[];
}

/** A port that lets plaintext in for a while, so that its callers can move into the mesh one by one. */
export interface PermissivePort {
  readonly namespace: string;
  readonly service: string;
  /** Where the application listens. */
  readonly port: number;
  readonly untilMs: number;
}

/** Until the control thread says otherwise: whoever is in the mesh may call. */
export const OPEN_ACCESS: AccessRules = { policies: [], defaultAction: 'ALLOW', permissive: [] };
