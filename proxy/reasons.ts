/**
 * Why the mesh itself answered, refused or cut something: the closed set of reason codes.
 *
 * A response that the mesh made carries its code in `weft-reason` and the node in `weft-node`; the same codes label
 * failures in the statistics. The reference page is generated from this table. Codes are an interface: dashboards and
 * clients depend on them, so a code is never renamed, and its place in the table is its column in the statistics.
 * @module
 */

export interface Reason {
  /** Status of the response that carries it; 0 where nobody can be told (opaque connections, aborted clients). */
  readonly status: number;
  /** What happened and what to do about it, for the person who reads the response body. */
  readonly text: string;
}

export const REASONS = {
  // A request (or a response, then told as upstream-malformed) that cannot be read one way only. RFC 9112 throughout.
  'bad-request-line': { status: 400, text: 'the request line is not METHOD SP TARGET SP VERSION (RFC 9112 §3)' },
  'bad-status-line': { status: 400, text: 'the status line is not VERSION SP STATUS SP REASON (RFC 9112 §4)' },
  'bad-method': { status: 400, text: 'the method is not a token (RFC 9110 §9.1)' },
  'bad-target': { status: 400, text: 'the request target has no form this method may use, or forbidden characters' },
  'bad-version': { status: 400, text: 'the protocol version is not HTTP/1.0 or HTTP/1.1 spelled exactly' },
  'unsupported-version': { status: 505, text: 'only HTTP/1.0 and HTTP/1.1 are spoken here' },
  'bare-cr': { status: 400, text: 'a CR that no LF follows' },
  'bare-lf': { status: 400, text: 'a LF that no CR precedes' },
  'nul-byte': { status: 400, text: 'a NUL byte in the head of the message' },
  'control-character': { status: 400, text: 'a control character in the head of the message' },
  'obs-fold': { status: 400, text: 'a header line starts with white space (line folding is obsolete)' },
  'space-before-colon': { status: 400, text: 'white space between a header name and its colon' },
  'bad-field-name': { status: 400, text: 'a header name is empty or not a token, or its colon is missing' },
  'target-too-long': { status: 414, text: 'the request line is longer than proxy.http.maxHeadBytes' },
  'head-too-large': { status: 431, text: 'the header section is longer than proxy.http.maxHeadBytes' },
  'too-many-fields': { status: 431, text: 'more header fields than proxy.http.maxFields' },
  'missing-host': { status: 400, text: 'an HTTP/1.1 request without Host' },
  'duplicate-host': { status: 400, text: 'more than one Host' },
  'bad-host': {
    status: 400,
    text: 'Host, or the authority of the target, is not a name or address with optional port',
  },
  'length-and-encoding': { status: 400, text: 'Content-Length and Transfer-Encoding in one message' },
  'duplicate-length': { status: 400, text: 'more than one Content-Length' },
  'bad-length': { status: 400, text: 'Content-Length is not a plain decimal number' },
  'length-too-large': { status: 413, text: 'a length beyond 2^53-1 bytes' },
  'bad-transfer-encoding': { status: 400, text: 'Transfer-Encoding is malformed, or chunked is not the last coding' },
  'unknown-transfer-encoding': { status: 501, text: 'a transfer coding other than chunked' },
  'http10-transfer-encoding': { status: 400, text: 'Transfer-Encoding in an HTTP/1.0 message' },
  'bad-connection-header': { status: 400, text: 'Connection is not a list of at most 16 tokens' },
  'bad-expectation': { status: 417, text: 'an expectation other than 100-continue' },
  'bad-chunk-size': { status: 400, text: 'a chunk size is not a plain hexadecimal number' },
  'bad-chunk-extension': { status: 400, text: 'a chunk extension is malformed or too long' },
  'bad-chunk-data': { status: 400, text: 'chunk data is not followed by CRLF' },
  'bad-trailer': { status: 400, text: 'the trailer section is malformed or too long' },
  'trace-with-body': { status: 400, text: 'TRACE must not have a body (RFC 9110 §9.3.8)' },
  'connect-not-supported': { status: 501, text: 'CONNECT is not served; dial the destination itself' },
  'request-truncated': { status: 400, text: 'the client closed before its request was whole' },
  'request-timeout': { status: 408, text: 'the request did not arrive within proxy.http.requestHeadTimeoutMs' },
  'body-timeout': { status: 408, text: 'no byte of the request body for proxy.http.bodyTimeoutMs' },
  'max-forwards': { status: 405, text: 'Max-Forwards reached zero at this hop' },

  // The request was fine; it may not go on.
  'access-denied': { status: 403, text: 'access policy lets this caller not do this; see `weft explain`' },

  // The request was fine; there is no room for it now.
  'rate-limited': { status: 429, text: 'more requests than a rate limit lets in; see Retry-After' },
  overflow: { status: 503, text: 'the caller has as much open to this service as its circuit limits allow' },
  overloaded: { status: 503, text: 'the destination has as many requests open as it can serve in time' },

  // The request was fine; nobody could be reached.
  'no-endpoint': { status: 503, text: 'the service has no ready endpoint; see `weft endpoints`' },
  'connect-failed': { status: 503, text: 'no connection to any endpoint tried (refused or unreachable)' },
  'connect-timeout': { status: 503, text: 'no connection within proxy.upstream.connectTimeoutMs' },
  'handshake-failed': { status: 503, text: 'the TLS handshake with the endpoint failed; see the log of both nodes' },
  'identity-refused': { status: 503, text: 'the endpoint presented another identity than the mesh registered for it' },
  'app-unreachable': { status: 503, text: 'the workload does not accept connections on its port' },
  'upstream-overflow': { status: 503, text: 'too many requests wait for a connection (proxy.upstream.maxPending)' },
  'pending-timeout': { status: 503, text: 'no connection became free within proxy.upstream.pendingTimeoutMs' },
  'workload-gone': { status: 503, text: 'the workload this connection belongs to has left the node' },
  'out-of-sockets': { status: 503, text: 'the agent cannot open a socket; raise its descriptor limit' },

  'no-route': {
    status: 404,
    text: 'the service has routes, and no rule of them matches this request; see `weft explain`',
  },
  'bad-backend': { status: 500, text: 'the route leads to a backend that does not exist or may not be used' },
  'fault-injected': { status: 0, text: 'a FaultInjection asked for it' },

  // Somebody was reached and failed.
  'upstream-failed': { status: 502, text: 'the endpoint answered with a status that the policy repeats' },
  'backend-timeout': { status: 504, text: 'the endpoint did not answer within timeouts.backend' },
  silent: { status: 504, text: 'no byte in either direction for longer than timeouts.idle' },
  'deadline-exceeded': { status: 504, text: 'no answer within timeouts.request, or the time that the caller gave' },
  'upstream-closed': { status: 502, text: 'the endpoint closed the connection before it answered' },
  'upstream-reset': { status: 502, text: 'the endpoint reset the connection before it answered' },
  'upstream-malformed': { status: 502, text: 'the response of the endpoint is not readable HTTP/1.1' },
  'upstream-interim-flood': { status: 502, text: 'the endpoint sent more than 16 interim responses' },
  'upstream-unasked-upgrade': { status: 502, text: 'the endpoint switched protocols although nobody asked' },
  'upstream-truncated': { status: 0, text: 'the endpoint broke off in the middle of a response' },

  'mirror-cut': {
    status: 0,
    text: 'a copy of a request was given up: its body is too long, or the request itself ended',
  },

  // Connections that end without HTTP.
  'client-aborted': { status: 0, text: 'the client went away before its response was complete' },
  'idle-timeout': { status: 0, text: 'no byte in either direction for longer than the idle timeout' },
  'plaintext-refused': { status: 0, text: 'plaintext from outside the mesh to a port in STRICT mode' },
  'no-destination': { status: 0, text: 'a captured connection whose original destination is unknown' },
  'loop-refused': { status: 0, text: 'a connection to the capture listener itself' },
  'too-many-connections': { status: 0, text: 'more connections than proxy.maxConnections' },
  draining: { status: 503, text: 'this agent is shutting down' },

  // Streams of bytes over HTTP/2 CONNECT.
  'connect-only': { status: 400, text: 'without the server name of an endpoint only CONNECT is served here' },
  'no-such-port': { status: 404, text: 'CONNECT names no port of a workload here; dial the node it is on' },
  misdirected: {
    status: 421,
    text: 'CONNECT names a workload other than the one whose certificate was shown; dial that one itself',
  },
  'tunnel-refused': { status: 503, text: 'the other mesh opens no way to the endpoint; see the log of its proxy' },
} as const satisfies Record<string, Reason>;

export type ReasonCode = keyof typeof REASONS;

/** All codes in table order; the position is the column in the statistics. */
export const REASON_CODES = Object.keys(REASONS) as readonly ReasonCode[];
