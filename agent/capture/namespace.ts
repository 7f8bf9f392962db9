/** A network namespace of this machine, found by path or process, held open so that it cannot vanish meanwhile. @module */
import { closeSync, openSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { CaptureError, type CaptureErrorCode, SystemCallError } from './errors.ts';
import { type Family, isSameNamespace, type Linux, type NamespaceIdentity, namespaceIdentity } from './linux.ts';

/** Where to find a namespace. Plain data: it is stored, and sent to threads. */
export type NamespaceLocator =
  | { readonly kind: 'path'; readonly path: string }
  /** `startTicks`, once known, tells this process from a later one with the same pid. */
  | { readonly kind: 'pid'; readonly pid: number; readonly startTicks?: number }
  | { readonly kind: 'host' };

export interface NamespaceAddress {
  readonly family: Family;
  readonly address: string;
  readonly interface: string;
}

/** statfs type of the file system that holds namespace files. */
const NSFS_MAGIC = 0x6e736673;
/** Where `ip netns` and container runtimes bind namespaces to names. */
const NAMED_DIRECTORIES = ['/run/netns', '/run/docker/netns'];

export class Namespace implements Disposable {
  /** Valid until `close`. Any thread of this process may use it. */
  readonly fd: number;
  readonly identity: NamespaceIdentity;
  /** How it was found, with what is needed to find it again, or to notice that it is another one by now. */
  readonly locator: NamespaceLocator;
  #isOpen = true;

  private constructor(fd: number, locator: NamespaceLocator) {
    this.fd = fd;
    this.locator = locator;
    this.identity = namespaceIdentity(fd);
  }

  /** @throws CaptureError when there is none, it is not a network namespace, or we may not enter it */
  static open(linux: Linux, locator: NamespaceLocator): Namespace {
    const subject = describeLocator(locator);
    const startTicks = locator.kind === 'pid' ? processStart(locator, subject) : undefined;
    const fd = openNamespaceFile(locatorPath(locator), subject);
    try {
      if (locator.kind === 'pid' && processStart(locator, subject) !== startTicks) {
        throw new CaptureError('WEFT_CAPTURE_NAMESPACE_GONE', `${subject} ended meanwhile`);
      }
      tryEntering(linux, fd, subject);
      return new Namespace(
        fd,
        locator.kind === 'pid' && startTicks !== undefined ? { ...locator, startTicks } : locator,
      );
    } catch (err) {
      closeSync(fd);
      throw err;
    }
  }

  /** A path under which this process, also from another thread, can open the same namespace while this handle is open. */
  get path(): string {
    return `/proc/self/fd/${this.fd}`;
  }

  isSame(other: NamespaceIdentity): boolean {
    return isSameNamespace(this.identity, other);
  }

  /** The addresses others can reach it by: of interfaces that are up, without loopback and link-local ones. */
  addresses(linux: Linux): readonly NamespaceAddress[] {
    return this.#interfaces(linux)
      .filter(({ internal, address }) => !internal && !isLinkLocal(address))
      .map(({ name, address }) => ({ family: isIPv6(address) ? 6 : 4, address, interface: name }));
  }

  /** Whether an address is one of the namespace's own, of whatever interface. */
  ownAddresses(linux: Linux): (address: string) => boolean {
    const own = new Set(this.#interfaces(linux).map(({ address }) => address));
    return (address) => own.has(address) || address.startsWith('127.');
  }

  /** The addresses of loopback interfaces that are up. */
  loopbackAddresses(linux: Linux): readonly string[] {
    return this.#interfaces(linux)
      .filter(({ internal }) => internal)
      .map(({ address }) => address);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #interfaces(linux: Linux): { name: string; address: string; internal: boolean }[] {
    const interfaces = linux.inNamespace(this.fd, () => networkInterfaces());
    return Object.entries(interfaces).flatMap(([name, infos = []]) => infos.map((info) => ({ ...info, name })));
  }
}

/**
 * Looks for a namespace by what it is, when the way it was found before is gone: among named namespaces, then among
 * those that processes live in. undefined: nothing visible holds it.
 */
export function findNamespace(linux: Linux, wanted: NamespaceIdentity): Namespace | undefined {
  for (const locator of candidates()) {
    if (!hasIdentity(locatorPath(locator), wanted)) continue;
    try {
      const found = Namespace.open(linux, locator);
      if (found.isSame(wanted)) return found;
      found.close();
    } catch (err) {
      if (!(err instanceof CaptureError)) throw err; // it went away between two looks
    }
  }
  return undefined;
}

export function describeLocator(locator: NamespaceLocator): string {
  if (locator.kind === 'path') return locator.path;
  return locator.kind === 'pid' ? `process ${locator.pid}` : 'network namespace of the agent';
}

/** The namespace file. The host's is the calling thread's own, which is where it always is between calls. */
export function locatorPath(locator: NamespaceLocator): string {
  if (locator.kind === 'path') return locator.path;
  return locator.kind === 'pid' ? `/proc/${locator.pid}/ns/net` : '/proc/thread-self/ns/net';
}

function openNamespaceFile(path: string, subject: string): number {
  try {
    // Asked before opening: the open of a FIFO would hang.
    if (statfsSync(path).type !== NSFS_MAGIC) throw new CaptureError('WEFT_CAPTURE_NAMESPACE_INVALID', subject);
    return openSync(path, 'r');
  } catch (err) {
    throw err instanceof CaptureError ? err : new CaptureError(openFailure(err), subject, { cause: err });
  }
}

function openFailure(err: unknown): CaptureErrorCode {
  const code = err instanceof Error && 'code' in err ? err.code : undefined;
  return code === 'EACCES' || code === 'EPERM' ? 'WEFT_CAPTURE_NOT_PERMITTED' : 'WEFT_CAPTURE_NAMESPACE_GONE';
}

/** Namespace files of other kinds (mount, pid) look alike until setns refuses them. */
function tryEntering(linux: Linux, fd: number, subject: string): void {
  try {
    linux.inNamespace(fd, () => undefined);
  } catch (cause) {
    if (!(cause instanceof SystemCallError)) throw cause;
    const code = cause.code === 'EPERM' ? 'WEFT_CAPTURE_NOT_PERMITTED' : 'WEFT_CAPTURE_NAMESPACE_INVALID';
    throw new CaptureError(code, subject, { cause });
  }
}

/**
 * When a process started, in clock ticks since boot (proc(5), /proc/PID/stat field 22).
 *
 * @throws CaptureError when it is gone, or another process has its pid by now
 */
function processStart({ pid, startTicks }: { pid: number; startTicks?: number }, subject: string): number {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (cause) {
    throw new CaptureError('WEFT_CAPTURE_NAMESPACE_GONE', subject, { cause });
  }
  // The name, field 2, is in parentheses and may hold spaces and parentheses itself.
  const started = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  if (startTicks !== undefined && started !== startTicks) {
    throw new CaptureError('WEFT_CAPTURE_NAMESPACE_GONE', `${subject} ended, and its pid was given to another process`);
  }
  return started;
}

/** 169.254.0.0/16 and fe80::/10 mean something on one link only. */
function isLinkLocal(address: string): boolean {
  return address.startsWith('169.254.') || /^fe[89ab]/i.test(address);
}

function* candidates(): Generator<NamespaceLocator> {
  for (const directory of NAMED_DIRECTORIES) {
    for (const name of listDirectory(directory)) yield { kind: 'path', path: `${directory}/${name}` };
  }
  for (const name of listDirectory('/proc')) if (/^\d+$/.test(name)) yield { kind: 'pid', pid: Number(name) };
}

function listDirectory(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // not on this machine
  }
}

function hasIdentity(path: string, wanted: NamespaceIdentity): boolean {
  try {
    const { dev, ino } = statSync(path);
    return isSameNamespace({ device: dev, inode: ino }, wanted);
  } catch {
    return false; // a process that ended, or one we may not look into
  }
}
