/** The numbers that capture, its rules and the agents of other nodes must agree on. @module */

/** SO_MARK of every socket the agent opens in a workload's namespace: what carries it is never captured. */
export const CAPTURE_MARK = 0x539;

/**
 * Marks answers to connections made in a client's name. The numbers are ztunnel's, which does the same; only one of the two
 * can capture a namespace.
 */
export const CLIENT_MARK = 0x111;
/** The routing table for what is marked so, and where its rule stands: right before the main table's. */
export const CLIENT_TABLE = 100;
export const CLIENT_RULE_PRIORITY = 32_764;
/** A conntrack zone of their own: a client may have a connection to the same port from the same port already. */
export const CLIENT_ZONE = 0x539;

/** The one nft table, of family inet. Whatever is in it is ours; whatever is not is never touched. */
export const CAPTURE_TABLE = 'weft';

export interface CapturePorts {
  /** Where a workload's own connections arrive, redirected. */
  readonly outbound: number;
  /** Where plaintext from outside arrives, redirected. */
  readonly inbound: number;
  /** Where other agents connect with mTLS; not redirected. */
  readonly tunnel: number;
  /** Where a workload's DNS queries arrive, redirected. */
  readonly dns: number;
}

export const CAPTURE_PORTS: CapturePorts = { outbound: 15_001, inbound: 15_006, tunnel: 15_008, dns: 15_053 };
