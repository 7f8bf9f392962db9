/**
 * The SPIFFE Workload API: programs that speak SPIFFE get their SVID and the trust bundle from the agent of their node,
 * over a unix socket, and are told when either changes.
 *
 * Anybody may connect; what is answered depends on who the kernel says it is (callers.ts). Loaded only where it is
 * configured. Source: SPIFFE_Workload_API and SPIFFE_Workload_Endpoint. JWT-SVIDs are not offered: Weft signs none.
 * @module
 */
import { performServerHandshake, type ServerHttp2Session, type ServerSessionOptions } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { listenOnSocket } from '../admin/listen.ts';
import type { Linux } from '../capture/linux.ts';
import { descriptorOf } from '../capture/sockets.ts';
import { type AnswerSources, Answers } from './answers.ts';
import { Callers } from './callers.ts';
import { type Refusal, ServerCall, STATUS } from './grpc.ts';
import { CALLER_LIMITS, type Caller, CallerTable, MAX_CONNECTIONS } from './limits.ts';
import { Subscription } from './subscription.ts';

export interface WorkloadApiOptions extends AnswerSources {
  readonly socket: string;
  /** Whether the socket of a live agent may be replaced, because it hands over. */
  readonly mayReplace?: boolean;
  readonly linux: Linux;
  readonly log: Logger;
  /** After this a caller that does not read is cut off. */
  readonly slowReaderMs?: number;
  /** After this a connection without a call is closed. */
  readonly idleMs?: number;
  /** What callers may ask for is counted by it. */
  readonly nowMs?: () => number;
}

/** Workload_Endpoint §4: every caller may open it; who it is decides what it gets. */
const SOCKET_MODES = { mode: 0o666, directoryMode: 0o755 };
const IDLE_MS = 60_000;

const SESSION_OPTIONS: ServerSessionOptions = {
  settings: { maxConcurrentStreams: 16, maxHeaderListSize: 8_192, initialWindowSize: 16_384, enablePush: false },
  maxSessionMemory: 1, // MB
  maxHeaderListPairs: 64,
  maxOutstandingPings: 4,
  maxSettings: 16,
  maxSessionInvalidFrames: 16,
  maxSessionRejectedStreams: 16,
  streamResetBurst: 2 * CALLER_LIMITS.burst, // room for who is told so politely first
  streamResetRate: 2 * CALLER_LIMITS.callsPerSecond,
};

const SERVICE = '/SpiffeWorkloadAPI';
const JWT_CALLS = new Set(['FetchJWTSVID', 'FetchJWTBundles', 'ValidateJWTSVID'].map((name) => `${SERVICE}/${name}`));
/** Workload_Endpoint §4: what a web page that was tricked into asking could not send. */
const SECURITY_HEADER = 'workload.spiffe.io';

export class WorkloadApi implements AsyncDisposable {
  readonly #options: WorkloadApiOptions;
  readonly #callers: Callers;
  readonly #answers: Answers;
  readonly #table = new CallerTable();
  readonly #nowMs: () => number;
  readonly #server: Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #subscriptions = new Set<Subscription>();
  #removeSocket: () => Promise<void> = async () => {};
  #isRefreshing = false;

  private constructor(options: WorkloadApiOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#callers = new Callers(options.linux);
    this.#answers = new Answers(options, this.#callers);
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** @throws SystemCallError before Linux 5.14; AgentError when the socket cannot be made */
  static async start(options: WorkloadApiOptions): Promise<WorkloadApi> {
    const api = new WorkloadApi(options);
    api.#removeSocket = await listenOnSocket(api.#server, options.socket, {
      ...SOCKET_MODES,
      mayReplace: options.mayReplace ?? false,
    });
    return api;
  }

  /** Workloads, SVIDs or roots may have changed. Cheap to call often: one look follows for all calls of a turn. */
  refresh(): void {
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    setImmediate(() => {
      this.#isRefreshing = false;
      this.#answers.refresh();
      for (const subscription of this.#subscriptions) subscription.update();
    });
  }

  /** Tells every caller to come back. Twice is fine. */
  async close(): Promise<void> {
    await this.#removeSocket();
    for (const subscription of this.#subscriptions) subscription.close();
    for (const session of this.#sessions) session.destroy();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(socket: Socket): void {
    const caller = this.#callerOf(socket);
    if (caller === undefined || !caller.mayConnect(this.#nowMs())) {
      socket.destroy();
      return;
    }
    caller.connections++;
    socket.once('close', () => caller.connections--);
    const session = performServerHandshake(socket, SESSION_OPTIONS);
    this.#sessions.add(session);
    let open = 0;
    session.on('error', () => {}); // the caller broke off, or broke the rules of HTTP/2; 'close' follows
    session.once('close', () => this.#sessions.delete(session));
    session.setTimeout(this.#options.idleMs ?? IDLE_MS, () => open === 0 && session.destroy());
    session.on('stream', (stream, headers) => {
      open++;
      caller.streams++;
      const call = new ServerCall(stream, headers);
      call.onClose(() => {
        open--;
        caller.streams--;
      });
      this.#answer(call, caller);
    });
  }

  /** undefined: it left before the kernel could be asked. */
  #callerOf(socket: Socket): Caller | undefined {
    const fd = descriptorOf(socket);
    if (fd === undefined) return undefined;
    return this.#table.get(this.#callers.keyOf(this.#options.linux.unixPeer(fd)), this.#nowMs());
  }

  #answer(call: ServerCall, caller: Caller): void {
    const { misfit } = call;
    const refusal = refusalOf(call, caller, this.#nowMs());
    if (misfit !== undefined) call.reject(misfit);
    else if (refusal !== undefined) call.refuse(refusal);
    else this.#subscribe(call, caller);
  }

  #subscribe(call: ServerCall, caller: Caller): void {
    const isSvids = call.path === `${SERVICE}/FetchX509SVID`;
    const current = (): Buffer | Refusal => {
      const answer = isSvids ? this.#answers.svids(caller.key) : this.#answers.bundles(caller.key);
      if (!Buffer.isBuffer(answer)) this.#report(caller);
      return answer;
    };
    const subscription = new Subscription(call, current, this.#options.slowReaderMs);
    this.#subscriptions.add(subscription);
    call.onClose(() => this.#subscriptions.delete(subscription));
    subscription.update();
  }

  #report(caller: Caller): void {
    if (caller.isReported) return;
    caller.isReported = true;
    this.#options.log.warn({ caller: caller.key }, 'a program that is no workload asked for an SVID');
  }
}

/** What keeps a call from being looked at. */
function refusalOf(call: ServerCall, caller: Caller, nowMs: number): Refusal | undefined {
  if (call.metadata(SECURITY_HEADER) !== 'true') {
    return { status: STATUS.invalidArgument, message: `send the metadata ${SECURITY_HEADER}: true` };
  }
  if (!caller.mayCall(nowMs)) {
    return { status: STATUS.resourceExhausted, message: 'too many calls of this workload; keep one stream open' };
  }
  if (JWT_CALLS.has(call.path)) {
    return { status: STATUS.unimplemented, message: 'Weft signs no JWT-SVIDs; use FetchX509SVID' };
  }
  const isKnown = call.path === `${SERVICE}/FetchX509SVID` || call.path === `${SERVICE}/FetchX509Bundles`;
  return isKnown ? undefined : { status: STATUS.unimplemented, message: 'no such call in the SPIFFE Workload API' };
}
