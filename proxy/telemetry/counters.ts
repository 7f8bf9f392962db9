/**
 * The plain counters of a data-plane worker: a closed set, each with the sentence that documents it.
 *
 * Its place in the table is a counter's cell in the shared buffer.
 * @module
 */

export const COUNTERS = {
  connectionsAccepted: 'Connections accepted on any listener',
  connectionsRefusedLimit: 'Connections closed at once because the worker held proxy.maxConnections',
  plaintextAccepted: 'Connections without mTLS let in on a port in PERMISSIVE mode',
  plaintextRefused: 'Connections without mTLS refused on an inbound listener',
  noDestination: 'Captured connections closed because their original destination was unknown',
  loopRefused: 'Connections to the capture listener itself, refused',
  unknownService: 'Connections on an explicit listener whose service the mesh does not know',
  handshakesStarted: 'TLS handshakes begun on tunnel listeners',
  handshakesCompleted: 'TLS handshakes completed and verified on tunnel listeners',
  handshakesResumed: 'Those of them that resumed a TLS session',
  ticketsRefused: 'TLS sessions that were not resumed because they would not be accepted now; a full handshake follows',
  handshakesRefusedLimit: 'Connections closed at once because proxy.tunnel.maxHandshakes were in progress',
  handshakesTimedOut: 'TLS handshakes given up after proxy.tunnel.handshakeTimeoutMs',
  handshakesFailed: 'TLS handshakes that failed: not TLS, no common version, or broken off',
  handshakesUnknownName: 'TLS handshakes for a server name that is no endpoint of this unit',
  handshakesUnknownProtocol: 'TLS handshakes without an application protocol in common',
  accessShut: 'Open connections cut or drained because new access rules do not let them in',
  peersRefusedNoCertificate: 'Peers refused: no-certificate',
  peersRefusedUntrustedRoot: 'Peers refused: untrusted-root',
  peersRefusedExpired: 'Peers refused: expired or not-yet-valid',
  peersRefusedIdentity: 'Peers refused: wrong-identity, bad-spiffe-id, wrong-trust-domain or wrong-role',
  peersRefusedGrant: 'Peers refused: no-grant or outside-grant',
  peersRefusedRevoked: 'Peers refused: revoked',
  peersRefusedMalformed: 'Peers refused: malformed chain, bad signature or wrong key usage',
  sessionsCutRevoked: 'Open connections with other agents cut because the other side was revoked',
  upstreamConnects: 'Connections opened to endpoints and local applications',
  upstreamConnectFailures: 'Connections to endpoints and local applications that failed before any byte was sent',
  clientAddressesLost:
    'Connections to local applications that could not be made from the address of their client, and come from their own',
  upstreamHandshakeFailures: 'TLS handshakes with endpoints that failed',
  upstreamHandshakesResumed: 'TLS handshakes with endpoints that resumed a session',
  upstreamSessionsRefused: 'TLS sessions that either side would not resume; a full handshake followed',
  upstreamReused: 'Requests sent over a connection that had served another before',
  upstreamReplayed: 'Requests repeated on a fresh connection because a pooled one turned out dead',
  upstreamRetried: 'Requests and connections moved to another endpoint after a failure to connect',
  fellBack: 'Attempts that went to a fallback, because the service itself had no endpoint',
  upstreamUnsolicited: 'Pooled connections closed because bytes arrived that no request had asked for',
  sniffTimeouts: 'Connections taken as opaque after a silent proxy.tcp.sniffTimeoutMs',
  dnsAnswered: 'DNS queries for a name of the mesh, answered',
  dnsNoData: 'DNS queries for a name of the mesh that has no record of that type',
  dnsNoName: 'DNS queries for a name of the mesh that no service has',
  dnsRefused: 'DNS queries for a name of the mesh that were malformed or asked for what is not offered',
  dnsPassedOn: 'DNS queries sent on to the resolver they were meant for',
  dnsRelayed: 'DNS answers of a resolver brought back',
  dnsTimedOut: 'DNS queries whose resolver did not answer in time',
  dnsCrowded: 'DNS queries given up because too many queries or connections were open',
  dnsNoDestination: 'DNS queries meant for no resolver: not redirected, or addressed to the agent itself',
  dnsFailed: 'DNS queries that could not be sent on, or that the resolver refused',
  circuitOverflows: 'Requests and connections refused because the caller was at one of its circuit limits',
  rateLimited: 'Requests refused by a rate limit',
  rateLimitedShadow: 'Requests that a rate limit in shadow mode would have refused',
  overloadRefused: 'Requests refused at their destination because it had as many open as it can serve in time',
  retryBudgetSpent: 'Repeats not made because the retry budget was spent',
  outlierEjections: 'Times that a worker ejected an endpoint',
  outlierProbes: 'Requests let through to an ejected endpoint to see whether it is back',
  panicPicks: 'Requests sent while so many endpoints were ejected that all were used',
  sharedTableOverflows: 'Keys that did not fit into the table that workers share, and are counted by one worker alone',
  seriesOverflow:
    'Times that a row of statistics was wanted and counting went on in the overflow row, because the table was full',
  seriesExpired: 'Rows of statistics freed because nothing was counted in them for ten minutes',
  updatesApplied: 'Snapshot updates applied',
  updatesRefused: 'Parts of snapshot updates refused because they could not be used',
} as const;

export type Counter = keyof typeof COUNTERS;
export const COUNTER_NAMES = Object.keys(COUNTERS) as readonly Counter[];
