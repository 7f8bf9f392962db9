/**
 * A small mesh for tests: real certificates, real sockets, two proxies back to back. A client talks to an explicit
 * listener of the first, which speaks mTLS to the tunnel listener of the second, which talks to the application.
 * @module
 */

import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import { readPrivateKey } from '../../certs/files.ts';
import type { ForeignIssuerSpec } from '../../certs/foreign-issuer.ts';
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import { mintSvid, type Svid } from '../../certs/svid.ts';
import { type ProxyConfig, proxyConfig } from '../../proxy/config.ts';
import { Proxy } from '../../proxy/proxy.ts';
import { SharedTable } from '../../proxy/resilience/shared-table.ts';
import type { Endpoint, LocalWorkload, Protocol, SnapshotUpdate } from '../../proxy/snapshot.ts';
import { plainSockets, type Sockets } from '../../proxy/sockets.ts';
import type { RequestRecord } from '../../proxy/telemetry/record.ts';
import { StatsReader } from '../../proxy/telemetry/stats-reader.ts';
import { createStatsBuffer } from '../../proxy/telemetry/stats-table.ts';
import { StatsWriter } from '../../proxy/telemetry/stats-writer.ts';
import type { TrafficRules } from '../../proxy/traffic/rules.ts';
import { addNode, type Forged, HOUR_MS, makeNode, TemporaryDirectory, TRUST_DOMAIN } from '../certs/trust.ts';

export const WEB = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/web`;
export const CART = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/cart`;
export const SERVICE_PORT = 8_080;

type DeepPartial<T> = { [K in keyof T]?: T[K] extends object ? DeepPartial<T[K]> : T[K] };

export interface WorkerOptions {
  readonly shared?: SharedTable;
  readonly random?: () => number;
}

/** One proxy with its statistics. */
export class ProxyUnderTest {
  readonly proxy: Proxy;
  readonly reader = new StatsReader();
  /** What it told of requests. */
  readonly records: RequestRecord[] = [];

  readonly shared: SharedTable;

  constructor(
    node: string,
    config: DeepPartial<ProxyConfig> = {},
    sockets: Sockets = plainSockets(),
    { shared = SharedTable.alone(), random = Math.random }: WorkerOptions = {},
  ) {
    this.shared = shared;
    const buffer = createStatsBuffer(64);
    this.reader.attach('0', buffer);
    const stats = new StatsWriter(
      buffer,
      (row, labels) => this.reader.register('0', row, labels),
      (row, labels) => this.reader.registerAccess('0', row, labels),
    );
    // Most tests look at heads as they were sent; those of traces ask for more.
    const telemetry = { propagate: false };
    this.proxy = Proxy.start(proxyConfig.parse({ node, telemetry, ...config }), {
      sockets,
      stats,
      shared,
      log: pino({ level: process.env.WEFT_TEST_LOG ?? 'silent' }),
      random,
      records: (records) => void this.records.push(...records),
    });
  }
}

export interface MeshOptions {
  readonly protocol?: Protocol;
  readonly config?: DeepPartial<ProxyConfig>;
  readonly socketsOfB?: Sockets;
  /** Of the first proxy. */
  readonly worker?: WorkerOptions;
}

/** An application beside the first one. */
export interface AppOptions {
  readonly service?: string;
  readonly node?: 'a' | 'b';
  readonly labels?: Readonly<Record<string, string>>;
  readonly protocol?: Protocol;
  /** Of its tunnel; left out: that of node b. */
  readonly tunnelPort?: number;
}

export class Mesh implements AsyncDisposable {
  readonly #directory = new TemporaryDirectory();
  readonly nodeA: NodeIdentity;
  readonly nodeB: NodeIdentity;
  /** As both agents have them in their configuration from the next update on. */
  foreignIssuers: readonly ForeignIssuerSpec[] = [];
  readonly a: ProxyUnderTest;
  readonly b: ProxyUnderTest;
  readonly #protocol: Protocol;
  #version = 1;
  /** Where clients connect. */
  port = 0;
  tunnelPort = 0;
  appPort = 0;

  private constructor({ protocol = 'http', config = {}, socketsOfB, worker = {} }: MeshOptions) {
    this.nodeA = makeNode(this.#directory, { name: 'a' });
    this.nodeB = addNode(this.#directory, { name: 'b', grant: ['ns/shop/*'], nowMs: Date.now(), ttlMs: HOUR_MS });
    this.a = new ProxyUnderTest('a', config, plainSockets(), worker);
    this.b = new ProxyUnderTest('b', config, socketsOfB);
    this.#protocol = protocol;
  }

  /** @param appPort where the application listens on loopback */
  static async start(appPort: number, options: MeshOptions = {}): Promise<Mesh> {
    const mesh = new Mesh(options);
    mesh.appPort = appPort;
    const tunnel = { id: 'tunnel', role: 'tunnel', unit: 'host', transport: 'tcp' } as const;
    mesh.tunnelPort = (await mesh.b.proxy.listen(tunnel)).port;
    mesh.b.proxy.apply(mesh.update({ workloads: [mesh.cart()] }));
    mesh.a.proxy.apply(mesh.update({ workloads: [mesh.web()], endpoints: [mesh.endpoint()] }));
    mesh.port = await mesh.listenExplicit('explicit');
    return mesh;
  }

  /** Adds an application on a port of loopback; the caller is told of its endpoint. @returns the id of the endpoint */
  add(appPort: number, options: AppOptions = {}): string {
    const { service = 'cart', node = 'b', labels = {}, protocol = this.#protocol, tunnelPort } = options;
    const identity = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/${service}`;
    const id = `${node}/${service}-${appPort}/http`;
    const svid = this.mint(identity, node === 'a' ? this.nodeA : this.nodeB);
    const common = { namespace: 'shop', service, identity, labels };
    const port = { name: 'http', port: appPort, servicePort: SERVICE_PORT, protocol, address: '127.0.0.1' };
    const workload = {
      ...common,
      id: `${service}-${appPort}`,
      unit: 'host',
      ports: [{ ...port, endpointId: id }],
      svid,
    };
    const endpoint = this.endpoint({ ...common, id, node, port: appPort, protocol, ...(tunnelPort && { tunnelPort }) });
    const { proxy } = node === 'a' ? this.a : this.b;
    proxy.apply(this.update({ workloads: [workload] }));
    this.a.proxy.apply(this.update({ endpoints: [endpoint] }));
    return id;
  }

  /** What operators say to the caller's node. */
  rule(traffic: TrafficRules): void {
    this.a.proxy.apply({ version: this.#version++, traffic });
  }

  async listenExplicit(id: string, { proxy } = this.a): Promise<number> {
    const { port } = await proxy.listen({
      id,
      role: 'explicit',
      unit: 'host',
      workload: 'web',
      target: { service: 'shop/cart', port: SERVICE_PORT },
      transport: 'tcp',
    });
    return port;
  }

  update(delta: {
    readonly workloads?: readonly LocalWorkload[];
    readonly endpoints?: readonly Endpoint[];
    readonly remove?: readonly string[];
  }): SnapshotUpdate {
    const { workloads = [], endpoints = [], remove = [] } = delta;
    return {
      version: this.#version++,
      trust: {
        trustDomain: TRUST_DOMAIN,
        rootsPem: this.nodeA.trust.roots.map((root) => root.toString()),
        foreignIssuers: this.foreignIssuers,
      },
      workloads: { upsert: workloads, remove: [] },
      endpoints: { upsert: endpoints, remove },
    };
  }

  web(svid: Svid = this.mint(WEB)): LocalWorkload {
    return { id: 'web', unit: 'host', namespace: 'shop', service: 'web', identity: WEB, labels: {}, ports: [], svid };
  }

  cart(svid: Svid = this.mint(CART, this.nodeB)): LocalWorkload {
    const port = {
      endpointId: 'b/cart/http',
      name: 'http',
      port: this.appPort,
      servicePort: SERVICE_PORT,
      protocol: this.#protocol,
      address: '127.0.0.1',
    };
    return {
      id: 'cart',
      unit: 'host',
      namespace: 'shop',
      service: 'cart',
      identity: CART,
      labels: {},
      ports: [port],
      svid,
    };
  }

  endpoint(changes: Partial<Endpoint> = {}): Endpoint {
    return {
      id: 'b/cart/http',
      node: 'b',
      namespace: 'shop',
      service: 'cart',
      identity: CART,
      labels: {},
      address: '127.0.0.1',
      port: this.appPort,
      servicePort: SERVICE_PORT,
      portName: 'http',
      zone: '',
      protocol: this.#protocol,
      tunnelPort: this.tunnelPort,
      weight: 1,
      version: '1',
      state: 'ready',
      ...changes,
    };
  }

  /** The offline root, to sign what no node of ours would. */
  root(): Forged {
    const privateKey = readPrivateKey(join(this.#directory.sub('trust'), 'root.key'));
    return { certificate: this.nodeA.trust.roots[0]!, privateKey };
  }

  mint(spiffeId: string, node = this.nodeA): Svid {
    return mintSvid(node, spiffeId, { ttlMs: HOUR_MS / 2, nowMs: Date.now() });
  }

  /** Failures that either proxy counted, by reason. */
  failures(): Record<string, number> {
    const all: Record<string, number> = {};
    for (const { reader } of [this.a, this.b]) {
      for (const { failures } of reader.series()) {
        for (const [reason, count] of Object.entries(failures)) all[reason] = (all[reason] ?? 0) + count;
      }
    }
    return all;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.a.proxy.close(0), this.b.proxy.close(0)]);
    this.#directory[Symbol.dispose]();
  }
}

/** A server of the test, closed with all its connections at the end of the block. */
export class TestServer implements AsyncDisposable {
  readonly sockets = new Set<net.Socket>();
  /** Connections accepted, ever. */
  accepted = 0;
  readonly #server: net.Server;

  private constructor(server: net.Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.accepted++;
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  /** A server of bytes. */
  static tcp(onConnection: (socket: net.Socket) => void): Promise<TestServer> {
    return TestServer.of(net.createServer({ allowHalfOpen: true, noDelay: true }, onConnection));
  }

  static async of(server: net.Server): Promise<TestServer> {
    const test = new TestServer(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return test;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}

/** A client of bytes that can wait for what it expects. */
export class TestClient implements Disposable {
  readonly socket: net.Socket;
  received = '';
  error: NodeJS.ErrnoException | undefined;
  readonly #closed: Promise<void>;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    this.#closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.setEncoding('latin1');
    socket.on('data', (text: unknown) => {
      this.received += String(text);
    });
    socket.on('error', (error) => {
      this.error = error;
    });
  }

  static async connect(port: number): Promise<TestClient> {
    const client = new TestClient(net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }));
    // A reset may overtake the news of the connection.
    await once(client.socket, 'connect').catch(() => undefined);
    return client;
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Resolves once everything received matches; rejects when the connection closes before. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.received);
      if (match !== null) return match;
      if (this.socket.closed) throw new Error(`closed after ${JSON.stringify(this.received)}`);
      await Promise.race([once(this.socket, 'data'), this.closed()]);
    }
  }

  closed(): Promise<void> {
    return this.#closed;
  }

  /** The server's side has ended. */
  async ended(): Promise<void> {
    if (!this.socket.readableEnded && !this.socket.closed) {
      await new Promise<void>((resolve) => {
        this.socket.once('end', resolve);
        this.socket.once('close', () => resolve());
      });
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** Waits for a condition that some event will make true, looking at every turn of the event loop. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
