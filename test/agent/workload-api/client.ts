/** A program that speaks SPIFFE as any other does: through gRPC's own library, from the published messages. @module */
import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

export interface SvidMessage {
  readonly spiffe_id: string;
  readonly x509_svid: Buffer;
  readonly x509_svid_key: Buffer;
  readonly bundle: Buffer;
}

/** What a stream brought: a message, or how it ended. */
export type Event<T> =
  | { readonly kind: 'message'; readonly message: T }
  | { readonly kind: 'end'; readonly code: number; readonly details: string };

type Method = 'FetchX509SVID' | 'FetchX509Bundles' | 'FetchJWTSVID' | 'FetchJWTBundles' | 'ValidateJWTSVID';

type Client = grpc.Client &
  Record<Method, (request: object, metadata: grpc.Metadata, done?: unknown) => grpc.ClientReadableStream<unknown>>;

const definition = protoLoader.loadSync(join(import.meta.dirname, 'workload.proto'), { keepCase: true });
const { SpiffeWorkloadAPI } = grpc.loadPackageDefinition(definition) as unknown as {
  readonly SpiffeWorkloadAPI: new (address: string, credentials: grpc.ChannelCredentials) => Client;
};

export const SECURITY_HEADER = { 'workload.spiffe.io': 'true' };

export class WorkloadClient implements Disposable {
  readonly #client: Client;

  constructor(socket: string) {
    this.#client = new SpiffeWorkloadAPI(`unix:${socket}`, grpc.credentials.createInsecure());
  }

  svids(metadata?: Readonly<Record<string, string>>): Stream<{ readonly svids: readonly SvidMessage[] }> {
    return this.#stream('FetchX509SVID', metadata);
  }

  bundles(): Stream<{ readonly bundles: Readonly<Record<string, Buffer>> }> {
    return this.#stream('FetchX509Bundles');
  }

  jwtBundles(): Stream<unknown> {
    return this.#stream('FetchJWTBundles');
  }

  /** @returns the error that a call for one answer fails with */
  failureOf(method: 'FetchJWTSVID' | 'ValidateJWTSVID', request: object): Promise<grpc.ServiceError> {
    return new Promise((resolve, reject) => {
      this.#client[method](request, metadataOf(SECURITY_HEADER), (err: grpc.ServiceError | null) => {
        if (err === null) reject(new Error(`${method} was answered`));
        else resolve(err);
      });
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  #stream<T>(method: Method, metadata: Readonly<Record<string, string>> = SECURITY_HEADER): Stream<T> {
    return new Stream(this.#client[method]({}, metadataOf(metadata)));
  }
}

/** Events in the order they came, kept until asked for. */
export class Stream<T> {
  readonly #events: Event<T>[] = [];
  readonly #call: grpc.ClientReadableStream<unknown>;
  #wake: () => void = () => {};

  constructor(call: grpc.ClientReadableStream<unknown>) {
    this.#call = call;
    call.on('data', (message: T) => this.#add({ kind: 'message', message }));
    call.on('error', () => {});
    call.on('status', ({ code, details }) => this.#add({ kind: 'end', code, details }));
  }

  async next(): Promise<Event<T>> {
    while (this.#events.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#events.shift()!;
  }

  /** @throws when the stream ended instead */
  async message(): Promise<T> {
    const event = await this.next();
    if (event.kind === 'end') throw new Error(`ended with ${event.code}: ${event.details}`);
    return event.message;
  }

  cancel(): void {
    this.#call.cancel();
  }

  #add(event: Event<T>): void {
    this.#events.push(event);
    this.#wake();
  }
}

function metadataOf(entries: Readonly<Record<string, string>>): grpc.Metadata {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(entries)) metadata.set(name, value);
  return metadata;
}
