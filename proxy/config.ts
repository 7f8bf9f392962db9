/** What an operator may set about the data plane; defaults fit a service mesh inside one data centre. @module */

import { z } from 'zod';
import { recordsConfig } from './telemetry/config.ts';

const httpConfig = z.strictObject({
  maxHeadBytes: z
    .int()
    .min(1_024)
    .max(1_048_576)
    .default(32_768)
    .describe(
      'Longest head (start line and header fields) of a request or response. Higher lets a client hold more memory.',
    ),
  maxFields: z
    .int()
    .min(16)
    .max(2_048)
    .default(128)
    .describe('Most header fields in one head. Each connection keeps an index of 24 bytes a field.'),
  requestHeadTimeoutMs: z
    .int()
    .min(100)
    .default(10_000)
    .describe('Time from the first byte of a request to the end of its head. Lower sheds slow clients sooner.'),
  bodyTimeoutMs: z
    .int()
    .min(100)
    .default(60_000)
    .describe(
      'Longest silence inside a request body while it is awaited; not on HTTP/2 where its length is not announced, as gRPC does. Lower cuts slow uploads.',
    ),
  idleTimeoutMs: z
    .int()
    .min(1_000)
    .default(3_600_000)
    .describe('A client connection without a request is closed after this. Lower frees memory, but races with reuse.'),
  lingerMs: z
    .int()
    .min(0)
    .default(1_000)
    .describe(
      'After an early close the rest of the request is read for this long, so that the client sees the response.',
    ),
  lingerBytes: z
    .int()
    .min(0)
    .default(1_048_576)
    .describe('Most bytes of an unwanted request body that are read and dropped to keep its connection.'),
  forwardedFor: z
    .boolean()
    .default(false)
    .describe(
      "Whether applications get the client's address in an X-Forwarded-For line of their own, after those that the client sent.",
    ),
  replayBytes: z
    .int()
    .min(0)
    .default(65_536)
    .describe('A request body is kept up to this size until the response begins, to repeat it on a fresh connection.'),
});

const upstreamConfig = z.strictObject({
  connectTimeoutMs: z
    .int()
    .min(10)
    .default(1_000)
    .describe('Wait for a TCP connection. Lower tries the next endpoint sooner, but gives up on slow networks.'),
  handshakeTimeoutMs: z
    .int()
    .min(10)
    .default(3_000)
    .describe('Wait for the TLS handshake after the TCP connection stands.'),
  retryMinMs: z
    .int()
    .min(1)
    .default(50)
    .describe(
      'Pause before an endpoint that could not be reached is dialled again; doubled for each failure in a row.',
    ),
  retryMaxMs: z
    .int()
    .min(1)
    .default(2_000)
    .describe(
      'Longest such pause. Lower finds an endpoint that came back sooner; each attempt costs both sides a handshake.',
    ),
  maxAttempts: z
    .int()
    .min(1)
    .max(10)
    .default(3)
    .describe(
      'Endpoints tried for one request or connection when connecting fails. Nothing is sent to the failed ones.',
    ),
  maxConnections: z
    .int()
    .min(1)
    .default(1_024)
    .describe('Connections per workload, endpoint and worker. Requests beyond it wait.'),
  maxTunnels: z
    .int()
    .min(1)
    .max(64)
    .default(4)
    .describe(
      'Tunnels per workload, endpoint and worker. One carries proxy.tunnel.maxStreams requests at a time; another is opened when those there are have no room.',
    ),
  maxPending: z
    .int()
    .min(0)
    .default(1_024)
    .describe('Requests that may wait for a connection of one pool; more are answered 503 at once.'),
  pendingTimeoutMs: z.int().min(10).default(5_000).describe('Longest wait for a connection of a full pool before 503.'),
  meshIdleMs: z
    .int()
    .min(100)
    .default(60_000)
    .describe('An unused connection to another agent is closed after this. Keep it below tunnel.idleTimeoutMs.'),
  localIdleMs: z
    .int()
    .min(100)
    .default(4_000)
    .describe('An unused connection to the local application is closed after this. Node closes its own after 5 s.'),
});

const tunnelConfig = z.strictObject({
  handshakeTimeoutMs: z.int().min(100).default(5_000).describe('Time for the TLS handshake of an accepted connection.'),
  maxHandshakes: z
    .int()
    .min(1)
    .default(256)
    .describe(
      'Handshakes in progress per worker; connections beyond it are closed at once. A handshake costs about 2 ms.',
    ),
  resumeMs: z
    .int()
    .min(0)
    .max(3_600_000)
    .default(300_000)
    .describe(
      'How long after a full handshake its TLS session may be resumed, judged anew each time. Lower proves possession of the key more often; 0 does so each time.',
    ),
  idleTimeoutMs: z
    .int()
    .min(1_000)
    .default(90_000)
    .describe('A connection from another agent without a request is closed after this.'),
  maxStreams: z
    .int()
    .min(1)
    .max(65_536)
    .default(512)
    .describe(
      'Requests, or opaque connections, that a peer may have open on one tunnel. Each may make this agent hold 64 KiB while it stalls.',
    ),
  pingIntervalMs: z
    .int()
    .min(100)
    .default(10_000)
    .describe('A tunnel with open requests that has been silent for this long is asked whether it still lives.'),
  pingTimeoutMs: z
    .int()
    .min(100)
    .default(5_000)
    .describe('Wait for that answer. Then the tunnel is given up, and requests that may be repeated go elsewhere.'),
});

const http2Config = z.strictObject({
  maxStreams: z
    .int()
    .min(1)
    .max(65_536)
    .default(128)
    .describe(
      'Requests a client may have open on one HTTP/2 connection. Each may make this agent hold 64 KiB while it stalls.',
    ),
  settingsTimeoutMs: z
    .int()
    .min(100)
    .default(5_000)
    .describe('Time for the first settings of a peer, which come with its first bytes.'),
  pingIntervalMs: z
    .int()
    .min(100)
    .default(10_000)
    .describe('A connection with open requests that has been silent for this long is asked whether it still lives.'),
  pingTimeoutMs: z.int().min(100).default(5_000).describe('Wait for that answer before the connection is given up.'),
});

const tcpConfig = z.strictObject({
  sniffTimeoutMs: z
    .int()
    .min(1)
    .default(50)
    .describe(
      'Where no protocol is declared: silence after which a connection is opaque. Lower helps server-first protocols.',
    ),
  maxTunnels: z
    .int()
    .min(0)
    .max(256)
    .default(32)
    .describe(
      'Tunnels for opaque connections per workload, endpoint and worker. One carries proxy.tunnel.maxStreams of them; those for which there is no room have a connection to the other agent of their own. 0: all have.',
    ),
  maxWarm: z
    .int()
    .min(0)
    .max(64)
    .default(4)
    .describe(
      'Where opaque connections have one of their own to the other agent: made ahead per workload, endpoint and worker, where two or more were opened within 10 s. Each costs some 90 kB at either agent. 0: none.',
    ),
  idleTimeoutMs: z
    .int()
    .min(1_000)
    .default(3_600_000)
    .describe('An opaque connection without a byte in either direction is closed after this.'),
});

export const proxyConfig = z.strictObject({
  node: z.string().min(1).describe('Name of this node, told in weft-node of responses the mesh made.'),
  zone: z.string().default('').describe('Where this node is: `region/zone`, or a zone alone.'),
  maxConnections: z
    .int()
    .min(16)
    .default(20_000)
    .describe(
      'Accepted connections per worker; connections beyond it are closed at once. The last eighth is for workloads that hold less than an equal share.',
    ),
  clientAddress: z
    .enum(['transparent', 'off'])
    .default('transparent')
    .describe(
      "What applications see as the address of a client. transparent: the client's own, where the workload has a network namespace to itself; connections to the application are then kept for each client by itself. off: the agent's.",
    ),
  http: httpConfig.prefault({}),
  upstream: upstreamConfig.prefault({}),
  tunnel: tunnelConfig.prefault({}),
  http2: http2Config.prefault({}),
  tcp: tcpConfig.prefault({}),
  telemetry: recordsConfig.prefault({}),
});

export type ProxyConfig = z.output<typeof proxyConfig>;
export type HttpConfig = ProxyConfig['http'];
export type Http2Config = ProxyConfig['http2'];
export type UpstreamConfig = ProxyConfig['upstream'];
export type TunnelConfig = ProxyConfig['tunnel'];
export type TcpConfig = ProxyConfig['tcp'];
