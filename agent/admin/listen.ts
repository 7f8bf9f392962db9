/** Small HTTP servers of the agent's own: bounded in time, size and number, closed with their connections. @module */
import { once } from 'node:events';
import { chmod, lstat, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { type AddressInfo, connect, type Server as NetServer } from 'node:net';
import { dirname, join } from 'node:path';
import type { SecureContextOptions } from 'node:tls';
import { formatSocketAddress, parseSocketAddress } from '../addresses.ts';
import { AgentError, messageOf, systemCode } from '../errors.ts';

/** Admin clients are people and one scraper; more than this is a mistake or an attack. */
const MAX_CONNECTIONS = 128;
const REQUEST_TIMEOUT_MS = 10_000;
/** How often it is looked who is over the timeout. */
const CHECK_MS = 1_000;
/** How long answers under way may take once the server closes. */
const CLOSE_DEADLINE_MS = 1_000;
/** An agent that does not answer a connect on its own socket within this is taken for dead. */
const ANSWER_TIMEOUT_MS = 1_000;

export class HttpListener implements AsyncDisposable {
  /** `address:port` or the path of the socket, as clients reach it. */
  readonly address: string;
  readonly #server: Server;
  readonly #cleanUp: () => Promise<void>;
  #closing: Promise<void> | undefined;

  private constructor(server: Server, address: string, cleanUp: () => Promise<void>) {
    this.#server = server;
    this.address = address;
    this.#cleanUp = cleanUp;
  }

  /** @param setting name of the setting that chose the address, for the error message */
  static async onAddress(listen: string, setting: string, handler: RequestListener): Promise<HttpListener> {
    return HttpListener.#onAddress(listen, setting, newServer(handler));
  }

  /** The same with TLS 1.3. */
  static async onTlsAddress(
    listen: string,
    setting: string,
    { tls, handler }: { readonly tls: SecureContextOptions; readonly handler: RequestListener },
  ): Promise<HttpListener> {
    return HttpListener.#onAddress(listen, setting, newServer(handler, tls));
  }

  static async #onAddress(listen: string, setting: string, server: Server): Promise<HttpListener> {
    const wanted = parseSocketAddress(listen);
    if (wanted === undefined) throw new AgentError('WEFT_AGENT_ADDRESS_UNUSABLE', `${setting} ${listen}`);
    try {
      server.listen(wanted.port, wanted.address);
      await once(server, 'listening');
    } catch (err) {
      const code = systemCode(err) === 'EADDRINUSE' ? 'WEFT_AGENT_ADDRESS_IN_USE' : 'WEFT_AGENT_ADDRESS_UNUSABLE';
      throw new AgentError(code, `${setting} ${listen}`, { cause: err });
    }
    const { port } = server.address() as AddressInfo;
    return new HttpListener(server, formatSocketAddress({ ...wanted, port }), async () => {});
  }

  /** Listens on a unix socket that only its owner may use. @param mayReplace also that of a live agent */
  static async onSocket(path: string, handler: RequestListener, mayReplace = false): Promise<HttpListener> {
    const server = newServer(handler);
    return new HttpListener(
      server,
      path,
      await listenOnSocket(server, path, { mode: 0o600, directoryMode: 0o700, mayReplace }),
    );
  }

  /** Shows another certificate to who connects from now on. @throws where the listener speaks no TLS, or it is none */
  showCertificate(tls: SecureContextOptions): void {
    (this.#server as TlsServer).setSecureContext({ ...tls, minVersion: 'TLSv1.3' });
  }

  /** Lets answers under way finish for a moment, then closes all connections. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#cleanUp(); // first, so that nobody connects to what is about to close
    const closed = once(this.#server, 'close');
    const deadline = setTimeout(() => this.#server.closeAllConnections(), CLOSE_DEADLINE_MS);
    this.#server.close();
    this.#server.closeIdleConnections();
    await closed;
    clearTimeout(deadline);
  }
}

/**
 * Listens on a unix socket. What a dead agent left there is replaced; a live one is not.
 *
 * The socket is made in a private directory and renamed into place once its mode is right, so that there is no moment at
 * which others could connect, and none without a socket when one is replaced.
 *
 * @param modes of the socket, and of directories that have to be made for it; `mayReplace`: a live agent's too, which hands over
 * @returns removes the socket again
 */
export async function listenOnSocket(
  server: NetServer,
  path: string,
  modes: { readonly mode: number; readonly directoryMode: number; readonly mayReplace?: boolean },
): Promise<() => Promise<void>> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: modes.directoryMode });
    if (modes.mayReplace !== true) await refuseUnlessFree(path);
    const directory = await mkdtemp(join(dirname(path), '.'));
    try {
      const made = join(directory, 's');
      server.listen(made);
      await once(server, 'listening');
      await chmod(made, modes.mode);
      await rename(made, path);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
    const { ino } = await lstat(path);
    return () => removeIfOurs(path, ino);
  } catch (err) {
    server.close();
    if (err instanceof AgentError) throw err;
    throw new AgentError('WEFT_AGENT_SOCKET_UNUSABLE', `${path}: ${messageOf(err)}`, { cause: err });
  }
}

function newServer(handler: RequestListener, tls?: SecureContextOptions): Server {
  const bounds = {
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: CHECK_MS,
  };
  const server =
    tls === undefined
      ? createServer(bounds, handler)
      : createTlsServer({ ...bounds, ...tls, minVersion: 'TLSv1.3', handshakeTimeout: REQUEST_TIMEOUT_MS }, handler);
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

async function refuseUnlessFree(path: string): Promise<void> {
  try {
    if (!(await lstat(path)).isSocket()) throw new AgentError('WEFT_AGENT_SOCKET_UNUSABLE', `${path} is not a socket`);
  } catch (err) {
    if (systemCode(err) === 'ENOENT') return;
    throw err;
  }
  if (await answersOn(path)) throw new AgentError('WEFT_AGENT_SOCKET_BUSY', path);
}

/** Whether an agent listens on a unix socket. */
export async function answersOn(path: string): Promise<boolean> {
  const socket = connect({ path });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Another agent may have replaced our socket meanwhile; its own is not ours to remove. */
async function removeIfOurs(path: string, ino: number): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.ino === ino) await rm(path, { force: true });
}
