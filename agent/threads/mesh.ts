/**
 * The mesh thread as the control thread sees it: publish here, be told there.
 *
 * The thread is not started again when it dies: it would come back as a new life of this node with an empty view, and
 * every endpoint it does not know yet would seem gone. Whoever owns the agent is told by `failed`, keeps serving from what
 * it last heard, and ends the process in an orderly way.
 * @module
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { GossipConfig } from '../../gossip/config.ts';
import type { DocumentQueries, DocumentQuery } from '../../gossip/documents/query.ts';
import type { GossipEvents } from '../../gossip/edge/teller.ts';
import { GossipError } from '../../gossip/errors.ts';
import type { Caller } from '../../gossip/libp2p/calls.ts';
import { type Endpoint, endpointProblem } from '../../gossip/records/endpoint.ts';
import type { GossipStats, Member } from '../../gossip/view.ts';
import type { LogLevel } from '../log.ts';
import type { DocumentRequest, FromMesh, MeshWorkerData, Succession, ToMesh } from './mesh-protocol.ts';

export type { Succession } from './mesh-protocol.ts';

export interface MeshEvents extends GossipEvents {
  /** Another member asks this node; one that cannot be answered is hung up on. */
  asked?(caller: Caller, question: Uint8Array): Promise<Uint8Array>;
  /** The thread died after it had started. At most once, and never after `close` was called. */
  failed(err: Error): void;
}

export interface MeshThreadOptions {
  readonly config: GossipConfig;
  readonly nodeBundleDirectory: string;
  readonly logLevel: LogLevel;
  readonly events: MeshEvents;
  /** Resolves when a predecessor has let go of the port and the data directory; all is loaded by then. */
  readonly succeeds?: Promise<Succession>;
}

interface Asked {
  readonly resolve: (answer: never) => void;
  readonly reject: (err: Error) => void;
}

/** Gossip makes little garbage and in no hurry: with the default it would let 20 MB of it lie before it cleans up. */
const YOUNG_GENERATION_MB = 4;
/** A goodbye, its linger and libp2p's stop take less than three seconds; after this the thread is ended by force. */
const CLOSE_MS = 4_000;

export class MeshThread implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #events: MeshEvents;
  readonly #exited: Promise<void>;
  readonly #asked = new Map<number, Asked>();
  #name = '';
  #address = '';
  #members: readonly Member[] = [];
  #nextRequest = 1;
  #isEnded = false;
  #closing: Promise<void> | undefined;

  /** Resolves when this node listens; rejects with the reason of `Gossip.start` or of the bundle, or when aborted. */
  static async start(options: MeshThreadOptions, signal: AbortSignal): Promise<MeshThread> {
    signal.throwIfAborted();
    const mesh = new MeshThread(options);
    const abort = (): void => void mesh.close();
    signal.addEventListener('abort', abort);
    try {
      await mesh.#started();
    } finally {
      signal.removeEventListener('abort', abort);
    }
    if (!signal.aborted) return mesh;
    await mesh.close();
    throw signal.reason;
  }

  private constructor({ events, succeeds, ...born }: MeshThreadOptions) {
    this.#events = events;
    const workerData: MeshWorkerData = { ...born, isHeld: succeeds !== undefined };
    const entry = new URL(`./mesh-thread${extname(import.meta.url)}`, import.meta.url);
    const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB };
    this.#worker = new Worker(entry, { workerData, name: 'mesh', resourceLimits });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exited = promise;
    this.#worker.on('exit', () => resolve());
    void succeeds?.then((succession) => this.#send({ kind: 'succeed', succession }));
  }

  /** `ip:port` that this node tells others. */
  get address(): string {
    return this.#address;
  }

  /** Replaces what this node offers. @throws GossipError naming what cannot be published */
  publish(endpoints: readonly Endpoint[]): void {
    const problem = endpointProblem(this.#name, endpoints);
    if (problem !== undefined) throw new GossipError(problem.code, problem.subject);
    this.#send({ kind: 'publish', endpoints });
  }

  /** As last told. */
  members(): readonly Member[] {
    return this.#members;
  }

  /** Rejects when the thread is gone. */
  stats(): Promise<GossipStats> {
    return this.#ask('stats', (request) => ({ kind: 'stats', request }));
  }

  /** Asks about documents, or writes them. Rejects when the thread is gone or could not do it. */
  documents<Q extends DocumentQuery>(query: Q, ask: DocumentQueries[Q]['ask']): Promise<DocumentQueries[Q]['answer']> {
    return this.#ask(query, (request) => ({ kind: 'documents', request, ...({ query, ask } as DocumentRequest) }));
  }

  /** The bundle directory holds a renewed bundle: the thread reads it by itself. */
  identityChanged(): void {
    this.#send({ kind: 'identity' });
  }

  /** Tells all nodes that this one is an issuer. */
  declareIssuer(note: Uint8Array): void {
    this.#send({ kind: 'issuer', note });
  }

  /** Asks another member. Rejects when no answer comes, or the thread is gone. */
  call(to: string, question: Uint8Array): Promise<Uint8Array> {
    return this.#ask('call', (request) => ({ kind: 'call', request, to, question }));
  }

  /** Tells all nodes how this one fares with its documents. */
  report(report: Uint8Array): void {
    this.#send({ kind: 'report', report });
  }

  /** Tells all nodes which endpoints this one has ejected, encoded; undefined for none. */
  accuse(evidence: Uint8Array | undefined): void {
    this.#send({ kind: 'evidence', evidence });
  }

  /** Says goodbye to the mesh, unless a successor listens already, and ends the thread. May be called twice. */
  close(isSucceeded = false): Promise<void> {
    this.#closing ??= this.#close(isSucceeded);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #ask<T>(subject: string, message: (request: number) => ToMesh): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (this.#isEnded) {
      reject(new GossipError('WEFT_GOSSIP_CLOSED', subject));
      return promise;
    }
    const request = this.#nextRequest++;
    this.#asked.set(request, { resolve, reject });
    this.#send(message(request));
    return promise;
  }

  async #close(isSucceeded: boolean): Promise<void> {
    this.#send({ kind: 'close', isSucceeded });
    const timer = setTimeout(() => void this.#worker.terminate(), CLOSE_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  #started(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let hasStarted = false;
    let cause: unknown;
    this.#worker.on('message', (message: FromMesh) => {
      if (message.kind === 'started') {
        hasStarted = true;
        this.#name = message.name;
        this.#address = message.address;
        resolve();
      } else if (message.kind === 'refused') {
        reject(message.error);
      } else {
        this.#told(message);
      }
    });
    this.#worker.on('error', (err: unknown) => {
      cause = err;
    });
    this.#worker.on('exit', (code) => {
      const reason = new Error(`mesh thread ended with code ${code}`, { cause });
      this.#ended(reason);
      reject(reason); // no effect once it has started or said why it did not
      if (hasStarted && this.#closing === undefined) this.#events.failed(reason);
    });
    return promise;
  }

  #told(message: FromMesh): void {
    switch (message.kind) {
      case 'members':
        this.#members = message.members;
        this.#events.members(message.members);
        break;
      case 'endpoints':
        this.#events.endpoints(message.delta);
        break;
      case 'heads':
        this.#events.documents?.(message.heads);
        break;
      case 'documents-gone':
        this.#events.documentsGone?.(message.keys);
        break;
      case 'revocations':
        this.#events.revocations?.(message.entries);
        break;
      case 'noted':
        this.#events.noted?.(message.notes);
        break;
      case 'report':
        this.#events.report?.(message.node, message.report);
        break;
      case 'evidence':
        this.#events.evidence?.(message.node, message.evidence);
        break;
      case 'asked':
        void this.#answer(message);
        break;
      case 'called':
        this.#answered(message.request, (asked) => asked.resolve(message.answer as never));
        break;
      case 'call-failed':
        this.#answered(message.request, (asked) => asked.reject(message.error));
        break;
      case 'stats':
        this.#answered(message.request, (asked) => asked.resolve(message.stats as never));
        break;
      case 'documents':
        this.#answered(message.request, (asked) => asked.resolve(message.answer as never));
        break;
      case 'documents-failed':
        this.#answered(message.request, (asked) => asked.reject(message.error));
        break;
    }
  }

  async #answer({ request, caller, question }: Extract<FromMesh, { kind: 'asked' }>): Promise<void> {
    const answer = await this.#events.asked?.(caller, question).catch(() => undefined);
    this.#send({ kind: 'answered', request, answer });
  }

  #answered(request: number, settle: (asked: Asked) => void): void {
    const asked = this.#asked.get(request);
    this.#asked.delete(request);
    if (asked !== undefined) settle(asked);
  }

  #ended(reason: Error): void {
    this.#isEnded = true;
    for (const asked of this.#asked.values()) asked.reject(reason);
    this.#asked.clear();
  }

  #send(message: ToMesh): void {
    if (!this.#isEnded) this.#worker.postMessage(message);
  }
}
