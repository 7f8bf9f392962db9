/** Every code `gossip/` raises. The error reference is generated from this table, and a test compares the two. @module */
export const GOSSIP_ERRORS = {
  WEFT_GOSSIP_LISTEN_FAILED: 'cannot listen; choose a free port and an address of this node under gossip.listen',
  WEFT_GOSSIP_BAD_ADDRESS: 'not an address; write host:port, for IPv6 [address]:port',
  WEFT_GOSSIP_STORE_FAILED: 'cannot read or write the data directory; check its owner, mode and free space',
  WEFT_GOSSIP_STORE_FOREIGN:
    'this state belongs to another trust domain; move the file away, or give this agent a dataDirectory of its own',
  WEFT_GOSSIP_BAD_ENDPOINT: 'an endpoint cannot be published',
  WEFT_GOSSIP_TOO_MANY_ENDPOINTS: 'more endpoints than one node may publish; run fewer workloads on it',
  WEFT_GOSSIP_STUCK: 'the network library hangs and cannot be restarted; start the agent again and report this',
  WEFT_GOSSIP_NO_ANSWER: 'this member gave no answer in time; another may, and it is tried again',
  WEFT_GOSSIP_CLOSED: 'gossip is closed',
} as const;

export type GossipErrorCode = keyof typeof GOSSIP_ERRORS;

export class GossipError extends Error {
  override readonly name = 'GossipError';
  readonly code: GossipErrorCode;

  constructor(code: GossipErrorCode, subject: string, options?: ErrorOptions) {
    super(`${subject}: ${GOSSIP_ERRORS[code]}`, options);
    this.code = code;
  }
}
