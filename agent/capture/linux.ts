/**
 * The Linux calls that Node lacks, and the only file that makes foreign calls (koffi).
 *
 * A network namespace belongs to an OS thread. `inNamespace` moves this thread there, runs a synchronous function and
 * moves it back, so the event loop never turns in a foreign namespace and a socket made inside belongs there for good.
 * Each thread (main or worker) loads its own `Linux`. Descriptors are numbers of the process: any thread may use them.
 * The functions passed to `inNamespace` must not start work on libuv's thread pool: a pool thread born there would stay.
 * @module
 */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import ipaddr from 'ipaddr.js';
import { CAPTURE_MARK } from './constants.ts';
import { CaptureError, SystemCallError } from './errors.ts';

export type Family = 4 | 6;

/** Names a network namespace without owning it: its device and inode numbers, the same for every way to open it. */
export interface NamespaceIdentity {
  readonly device: number;
  readonly inode: number;
}

export interface Destination {
  readonly address: string;
  readonly port: number;
}

/** Who connected to a unix socket of ours: known to the kernel, and chosen by no program without rights over the machine. */
export interface UnixPeer {
  /** The effective user when it connected. */
  readonly uid: number;
  /** `namespaceCookie` of the network namespace in which its socket was made. */
  readonly namespaceCookie: bigint;
}

export interface BindOptions {
  /** Descriptor of the network namespace the socket shall belong to. */
  readonly namespace: number;
  readonly family: Family;
  /** An IP literal of that family. */
  readonly address: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** Several sockets share the port and the kernel spreads among them, all opened with this by one user. */
  readonly reusePort?: boolean;
  /** May bind addresses that are not this machine's (IP_TRANSPARENT). */
  readonly transparent?: boolean;
}

const CLONE_NEWNET = 0x40000000;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_ROUTE = 0;
const NETLINK_NETFILTER = 12;
const MSG_PEEK = 2;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const SO_PEERCRED = 17;
const SO_RCVTIMEO = 20;
const SO_MARK = 36;
const SO_NETNS_COOKIE = 71;
const SOL_IP = 0;
const IP_TRANSPARENT = 19;
/** The port is chosen when the socket connects, so that destinations do not compete for ports. For IPv6 as well. */
const IP_BIND_ADDRESS_NO_PORT = 24;
const SOL_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPV6_TRANSPARENT = 75;
/** SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST have one number. */
const SO_ORIGINAL_DST = 80;

/** Connections the kernel completes before we accept them; more are refused. The kernel's own cap (somaxconn) applies too. */
const BACKLOG = 4_096;
/** The kernel answers netlink within the call that asks, so a wait means a fault. */
const NETLINK_TIMEOUT_MS = 200;
/** struct ucred: pid, uid, gid. */
const UCRED_BYTES = 12;
const COOKIE_BYTES = 8;
const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_IN6_BYTES = 28;

/** SOL_SOCKET-style errors that say "no connection tracking entry", not "broken". */
const NO_ORIGIN = new Set(['ENOENT', 'ENOPROTOOPT', 'EOPNOTSUPP', 'ENOTCONN']);

const ONE = int32(1);
const MARK = int32(CAPTURE_MARK);
/** struct sockaddr_nl addressed to the kernel. */
const NETLINK_KERNEL = netlinkKernel();

/** The C functions, as koffi calls them. A negative result means failure; the reason is in errno. */
interface Libc {
  readonly setns: (fd: number, type: number) => number;
  readonly socket: (domain: number, type: number, protocol: number) => number;
  readonly setsockopt: (fd: number, level: number, name: number, value: Buffer, bytes: number) => number;
  readonly getsockopt: (fd: number, level: number, name: number, value: Buffer, bytes: Buffer) => number;
  readonly bind: (fd: number, address: Buffer, bytes: number) => number;
  readonly listen: (fd: number, backlog: number) => number;
  readonly accept4: (fd: number, address: null, bytes: null, flags: number) => number;
  readonly close: (fd: number) => number;
  readonly getsockname: (fd: number, address: Buffer, bytes: Buffer) => number;
  readonly sendto: (fd: number, data: Buffer, bytes: number, flags: number, to: Buffer, toBytes: number) => number;
  readonly recv: (fd: number, into: Buffer, bytes: number, flags: number) => number;
  readonly errno: () => number;
}

export class Linux implements Disposable {
  /** The namespace this thread lives in. Sockets for it need no move. */
  readonly home: number;
  readonly homeIdentity: NamespaceIdentity;
  readonly #libc: Libc;
  readonly #address = Buffer.alloc(SOCKADDR_IN6_BYTES);
  readonly #addressBytes = int32(SOCKADDR_IN6_BYTES);
  readonly #peeked = Buffer.alloc(1);
  #isAway = false;
  #stranded: CaptureError | undefined;

  private constructor(libc: Libc, home: number) {
    this.#libc = libc;
    this.home = home;
    this.homeIdentity = namespaceIdentity(home);
  }

  /** @throws CaptureError when this machine has no such calls; nothing of koffi is loaded before this */
  static load(): Linux {
    if (process.platform !== 'linux') throw new CaptureError('WEFT_CAPTURE_UNSUPPORTED', process.platform);
    try {
      return new Linux(loadLibc(), openSync('/proc/thread-self/ns/net', 'r'));
    } catch (cause) {
      throw new CaptureError('WEFT_CAPTURE_UNSUPPORTED', 'loading koffi', { cause });
    }
  }

  /**
   * Runs `fn` with this thread in another network namespace and always comes back.
   *
   * @param fn synchronous: it makes sockets, or spawns a child, and returns
   * @throws what `fn` throws; a SystemCallError when the namespace can not be entered. Should the way back fail, the
   * thread is of no more use: this call and all later ones throw WEFT_CAPTURE_STRANDED, and the thread is brought down
   * with an uncaught exception.
   */
  inNamespace<T>(namespace: number, fn: () => T): T {
    if (this.#stranded !== undefined) throw this.#stranded;
    if (this.#isAway)
      throw new Error('inNamespace was called within inNamespace: the way back would lead home at once');
    if (namespace === this.home) return synchronous(fn());
    this.#check(
      this.#libc.setns(namespace, CLONE_NEWNET),
      'setns',
      () => `network namespace (descriptor ${namespace})`,
    );
    this.#isAway = true;
    try {
      return synchronous(fn());
    } finally {
      if (this.#libc.setns(this.home, CLONE_NEWNET) < 0) this.#strand();
      this.#isAway = false;
    }
  }

  /** A listening TCP socket, close-on-exec and non-blocking, ready for `server.listen({ fd })`. The caller closes it. */
  openListener(options: BindOptions): number {
    return this.#opened(options, SOCK_STREAM, (fd, subject) => {
      this.#check(this.#libc.listen(fd, BACKLOG), 'listen', subject);
    });
  }

  /** Takes a connection from a listening socket, ready for `new net.Socket({ fd })`. undefined: none waits, or no descriptor is left. */
  acceptNext(listener: number): number | undefined {
    const fd = this.#libc.accept4(listener, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fd < 0 ? undefined : fd;
  }

  /** A bound UDP socket, ready for `dgramSocket.bind({ fd })`. The caller closes it. */
  openUdp(options: BindOptions): number {
    return this.#opened(options, SOCK_DGRAM, () => {});
  }

  /**
   * An unconnected TCP socket that capture leaves alone, ready for `new net.Socket({ fd })`. The caller closes it.
   *
   * @param source an IP literal of that family that the connection shall come from, whoever's it is
   */
  openMarkedSocket(namespace: number, family: Family, source?: string): number {
    return this.#openMarked(namespace, family, SOCK_STREAM, source);
  }

  /** An unbound UDP socket that capture leaves alone, ready for `dgramSocket.bind({ fd })`. The caller closes it. */
  openMarkedUdp(namespace: number, family: Family): number {
    return this.#openMarked(namespace, family, SOCK_DGRAM);
  }

  /** A socket for asking netfilter, bound to its namespace. The caller closes it. */
  openNetfilter(namespace: number): number {
    return this.#openNetlink(namespace, NETLINK_NETFILTER);
  }

  /** A socket for changing rules and routes, bound to its namespace. The caller closes it. */
  openRoutes(namespace: number): number {
    return this.#openNetlink(namespace, NETLINK_ROUTE);
  }

  #openNetlink(namespace: number, protocol: number): number {
    return this.inNamespace(namespace, () => {
      const fd = this.#libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
      if (fd < 0) throw this.#failed('socket', 'netlink');
      this.#closedOnFailure(fd, () => this.#set(fd, SOL_SOCKET, SO_RCVTIMEO, timeval(NETLINK_TIMEOUT_MS)));
      return fd;
    });
  }

  /** Sends one request to the kernel. Its answer is there as soon as this returns. */
  sendNetlink(fd: number, request: Buffer, bytes: number): void {
    const sent = this.#libc.sendto(fd, request, bytes, 0, NETLINK_KERNEL, NETLINK_KERNEL.length);
    this.#check(sent, 'sendto', () => 'netlink');
  }

  /** @returns how many bytes of one datagram were written to `into` */
  receiveNetlink(fd: number, into: Buffer): number {
    return this.#check(this.#libc.recv(fd, into, into.length, 0), 'recv', () => 'netlink');
  }

  /** Where a redirected TCP connection was going. undefined: it was not tracked, so it came here on purpose. */
  originalDestination(fd: number, family: Family): Destination | undefined {
    this.#addressBytes.writeInt32LE(SOCKADDR_IN6_BYTES);
    const level = family === 4 ? SOL_IP : SOL_IPV6;
    if (this.#libc.getsockopt(fd, level, SO_ORIGINAL_DST, this.#address, this.#addressBytes) < 0) {
      const failure = this.#failed('getsockopt', 'SO_ORIGINAL_DST');
      if (NO_ORIGIN.has(failure.code)) return undefined;
      throw failure;
    }
    return readSockaddr(this.#address);
  }

  /** Whether there is anything to read from a non-blocking socket: bytes, the end, or an error. Leaves bytes where they are. */
  hasSpoken(fd: number): boolean {
    return this.#libc.recv(fd, this.#peeked, 1, MSG_PEEK) >= 0 || this.#libc.errno() !== constants.errno.EAGAIN;
  }

  /** What a bound socket is bound to; tells the port the kernel chose. */
  localAddress(fd: number): Destination {
    this.#addressBytes.writeInt32LE(SOCKADDR_IN6_BYTES);
    const result = this.#libc.getsockname(fd, this.#address, this.#addressBytes);
    this.#check(result, 'getsockname', () => `descriptor ${fd}`);
    return readSockaddr(this.#address);
  }

  /**
   * The number of a network namespace, which no other gets before the machine restarts.
   *
   * @throws SystemCallError before Linux 5.14
   */
  namespaceCookie(namespace: number): bigint {
    return this.inNamespace(namespace, () => {
      const fd = this.#libc.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      this.#check(fd, 'socket', () => 'unix');
      try {
        return this.#cookieOf(fd);
      } finally {
        this.#libc.close(fd);
      }
    });
  }

  /**
   * @param fd of a connection that was accepted: such a socket belongs to the namespace of the one that connected, not to
   * the listener's (unix_stream_connect in net/unix/af_unix.c)
   */
  unixPeer(fd: number): UnixPeer {
    const credentials = this.#option(fd, SO_PEERCRED, UCRED_BYTES);
    return { uid: credentials.readUInt32LE(4), namespaceCookie: this.#cookieOf(fd) };
  }

  /** Closes a descriptor that came from here. Node's `closeSync` would warn in a worker about one it did not open. */
  close(fd: number): void {
    this.#check(this.#libc.close(fd), 'close', () => `descriptor ${fd}`);
  }

  [Symbol.dispose](): void {
    closeSync(this.home);
  }

  #cookieOf(fd: number): bigint {
    return this.#option(fd, SO_NETNS_COOKIE, COOKIE_BYTES).readBigUInt64LE();
  }

  #option(fd: number, name: number, bytes: number): Buffer {
    const value = Buffer.alloc(bytes);
    const result = this.#libc.getsockopt(fd, SOL_SOCKET, name, value, int32(bytes));
    this.#check(result, 'getsockopt', () => `socket option ${SOL_SOCKET}/${name}`);
    return value;
  }

  #openMarked(namespace: number, family: Family, type: number, source?: string): number {
    return this.inNamespace(namespace, () => {
      const fd = this.#socket(family, type);
      this.#closedOnFailure(fd, () => {
        this.#set(fd, SOL_SOCKET, SO_MARK, MARK);
        if (source !== undefined) this.#bindSource(fd, family, source);
      });
      return fd;
    });
  }

  #bindSource(fd: number, family: Family, source: string): void {
    this.#set(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, ONE);
    this.#setTransparent(fd, family);
    const sockaddr = writeSockaddr(family, source, 0);
    this.#check(this.#libc.bind(fd, sockaddr, sockaddr.length), 'bind', () => `tcp ${source}`);
  }

  #setTransparent(fd: number, family: Family): void {
    if (family === 4) this.#set(fd, SOL_IP, IP_TRANSPARENT, ONE);
    else this.#set(fd, SOL_IPV6, IPV6_TRANSPARENT, ONE);
  }

  #opened(options: BindOptions, type: number, finish: (fd: number, subject: () => string) => void): number {
    const { namespace, family, address, port } = options;
    const subject = (): string => `${type === SOCK_DGRAM ? 'udp' : 'tcp'} ${address} port ${port}`;
    const sockaddr = writeSockaddr(family, address, port);
    return this.inNamespace(namespace, () => {
      const fd = this.#socket(family, type);
      this.#closedOnFailure(fd, () => {
        // For UDP, SO_REUSEADDR would let a stranger share the port; for TCP it only forgives connections in TIME_WAIT.
        if (type === SOCK_STREAM) this.#set(fd, SOL_SOCKET, SO_REUSEADDR, ONE);
        if (options.reusePort) this.#set(fd, SOL_SOCKET, SO_REUSEPORT, ONE);
        if (family === 6) this.#set(fd, SOL_IPV6, IPV6_V6ONLY, ONE);
        if (options.transparent) this.#setTransparent(fd, family);
        this.#check(this.#libc.bind(fd, sockaddr, sockaddr.length), 'bind', subject);
        finish(fd, subject);
      });
      return fd;
    });
  }

  #socket(family: Family, type: number): number {
    const domain = family === 4 ? AF_INET : AF_INET6;
    const fd = this.#libc.socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return this.#check(fd, 'socket', () => `${type === SOCK_DGRAM ? 'UDP' : 'TCP'} over IPv${family}`);
  }

  #closedOnFailure(fd: number, configure: () => void): void {
    try {
      configure();
    } catch (err) {
      this.#libc.close(fd);
      throw err;
    }
  }

  #set(fd: number, level: number, name: number, value: Buffer): void {
    const result = this.#libc.setsockopt(fd, level, name, value, value.length);
    this.#check(result, 'setsockopt', () => `socket option ${level}/${name}`);
  }

  /** @param subject a function, because most calls succeed and no text is needed then */
  #check(result: number, syscall: string, subject: () => string): number {
    if (result < 0) throw this.#failed(syscall, subject());
    return result;
  }

  #failed(syscall: string, subject: string): SystemCallError {
    return new SystemCallError(syscall, this.#libc.errno(), subject);
  }

  #strand(): never {
    const cause = this.#failed('setns', 'network namespace of the agent');
    const stranded = new CaptureError('WEFT_CAPTURE_STRANDED', 'network namespace', { cause });
    this.#stranded = stranded;
    process.nextTick(() => {
      throw stranded; // whoever caught the first one must not keep this thread alive
    });
    throw stranded;
  }
}

export function namespaceIdentity(fd: number): NamespaceIdentity {
  const { dev, ino } = fstatSync(fd);
  return { device: dev, inode: ino };
}

export function isSameNamespace(a: NamespaceIdentity, b: NamespaceIdentity): boolean {
  return a.device === b.device && a.inode === b.inode;
}

function loadLibc(): Libc {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const libc = koffi.load(null); // the process itself: glibc or musl, whichever it runs on
  return {
    setns: libc.func('int setns(int, int)'),
    socket: libc.func('int socket(int, int, int)'),
    setsockopt: libc.func('int setsockopt(int, int, int, const void *, uint32_t)'),
    getsockopt: libc.func('int getsockopt(int, int, int, void *, void *)'),
    bind: libc.func('int bind(int, const void *, uint32_t)'),
    listen: libc.func('int listen(int, int)'),
    accept4: libc.func('int accept4(int, void *, void *, int)'),
    close: libc.func('int close(int)'),
    getsockname: libc.func('int getsockname(int, void *, void *)'),
    sendto: libc.func('long sendto(int, const void *, size_t, int, const void *, uint32_t)'),
    recv: libc.func('long recv(int, void *, size_t, int)'),
    errno: () => koffi.errno(),
  };
}

/** An async function would go on running after the thread has left the namespace. */
function synchronous<T>(result: T): T {
  if (result instanceof Promise) {
    result.catch(() => {});
    throw new TypeError('inNamespace needs a synchronous function: after an await the thread is home again');
  }
  return result;
}

/** struct sockaddr_in or sockaddr_in6: family in host order, port and address in network order. */
function writeSockaddr(family: Family, address: string, port: number): Buffer {
  const sockaddr = Buffer.alloc(family === 4 ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES);
  sockaddr.writeUInt16LE(family === 4 ? AF_INET : AF_INET6, 0);
  sockaddr.writeUInt16BE(port, 2);
  sockaddr.set(ipaddr.parse(address).toByteArray(), family === 4 ? 4 : 8);
  return sockaddr;
}

function readSockaddr(sockaddr: Buffer): Destination {
  const port = sockaddr.readUInt16BE(2);
  if (sockaddr.readUInt16LE(0) === AF_INET) {
    return { address: `${sockaddr[4]}.${sockaddr[5]}.${sockaddr[6]}.${sockaddr[7]}`, port };
  }
  return { address: ipaddr.fromByteArray([...sockaddr.subarray(8, 24)]).toString(), port };
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

/** struct timeval of a 64-bit system. */
function timeval(ms: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64LE(BigInt(Math.floor(ms / 1_000)), 0);
  bytes.writeBigInt64LE(BigInt((ms % 1_000) * 1_000), 8);
  return bytes;
}

function netlinkKernel(): Buffer {
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF_NETLINK, 0);
  return address;
}
