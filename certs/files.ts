/**
 * Keys and certificates on disk: written atomically, keys for the owner's eyes only, and refused when they are not.
 * @module
 */

import { createPrivateKey, type KeyObject, randomBytes, type X509Certificate } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { CertsError } from './errors.ts';
import { parseCertificates } from './trust-bundle.ts';

const KEY_MODE = 0o600;
const PUBLIC_MODE = 0o644;
const MAX_FILE_BYTES = 1_048_576;

export function writeKey(path: string, key: KeyObject, how: 'new' | 'replace' = 'replace'): void {
  writeAtomically(path, key.export({ type: 'pkcs8', format: 'pem' }).toString(), KEY_MODE, how);
}

export function writePublic(path: string, text: string): void {
  writeAtomically(path, text, PUBLIC_MODE, 'replace');
}

/** @throws CertsError when others may read it, or it is another user's, or it is no key; the message holds the remedy */
export function readPrivateKey(path: string): KeyObject {
  const pem = readChecked(path, (stats) => checkPrivate(path, stats));
  try {
    return createPrivateKey(pem);
  } catch {
    throw new CertsError('WEFT_CERTS_KEY_MALFORMED', path); // without the cause: OpenSSL's words may quote the key
  }
}

/** @throws CertsError when there is none */
export function readCertificates(path: string): readonly X509Certificate[] {
  const certificates = parseCertificates(readPublic(path), path);
  if (certificates.length === 0) throw new CertsError('WEFT_CERTS_CERTIFICATE_MALFORMED', path);
  return certificates;
}

/** Puts a file that was written whole in another one's place, for good. */
export function replaceFile(from: string, to: string): void {
  attempt('WEFT_CERTS_FILE_UNWRITABLE', to, () => {
    renameSync(from, to);
    withFile(dirname(to), 'r', undefined, () => {});
  });
}

export function readPublic(path: string): string {
  return readChecked(path, (stats) => checkTamperProof(path, stats));
}

/** Makes it, for its owner alone, with what leads to it. */
export function makeDirectory(path: string): void {
  attempt('WEFT_CERTS_FILE_UNWRITABLE', path, () => mkdirSync(path, { recursive: true, mode: 0o700 }));
}

/** Names in a directory; none if it does not exist. */
export function listDirectory(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return [];
    throw new CertsError('WEFT_CERTS_FILE_UNREADABLE', `${path} (${codeOf(err)})`, { cause: err });
  }
}

/** Who may add a root may be anyone in the mesh. */
function checkTamperProof(path: string, stats: Stats): void {
  if ((stats.mode & 0o022) === 0) return;
  const subject = `${path} has mode ${modeOf(stats)}, wanted 0644 (chmod 644 ${path})`;
  throw new CertsError('WEFT_CERTS_FILE_WRITABLE_BY_OTHERS', subject);
}

function checkPrivate(path: string, stats: Stats): void {
  const mode = modeOf(stats);
  if ((stats.mode & 0o177) !== 0) {
    throw new CertsError('WEFT_CERTS_KEY_EXPOSED', `${path} has mode ${mode}, wanted 0600 (chmod 600 ${path})`);
  }
  const user = process.geteuid?.();
  if (user !== undefined && stats.uid !== user) {
    const subject = `${path} with mode ${mode} belongs to uid ${stats.uid}, this process is ${user}`;
    throw new CertsError('WEFT_CERTS_KEY_FOREIGN_OWNER', `${subject} (chown ${user} ${path} && chmod 600 ${path})`);
  }
}

function modeOf(stats: Stats): string {
  return (stats.mode & 0o7777).toString(8).padStart(4, '0');
}

/** Checks the very file that is then read, not whatever has the name by then. */
function readChecked(path: string, check: (stats: Stats) => void): string {
  return attempt('WEFT_CERTS_FILE_UNREADABLE', path, () => {
    const fd = openSync(path, 'r');
    try {
      const stats = fstatSync(fd);
      check(stats);
      if (!stats.isFile() || stats.size > MAX_FILE_BYTES)
        throw new Error(`not a file of up to ${MAX_FILE_BYTES} bytes`);
      return readFileSync(fd, 'utf8');
    } finally {
      closeSync(fd);
    }
  });
}

/**
 * A reader sees the old file or the whole new one, also after a crash: written aside, flushed, put in place, flushed.
 *
 * @param how 'new' fails when the name is taken, so that of two writers one learns that it lost
 */
function writeAtomically(path: string, text: string, mode: number, how: 'new' | 'replace'): void {
  const aside = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  attempt('WEFT_CERTS_FILE_UNWRITABLE', path, () => {
    try {
      withFile(aside, 'wx', mode, (fd) => {
        fchmodSync(fd, mode); // whatever the umask took away
        writeFileSync(fd, text);
      });
      if (how === 'new') linkSync(aside, path);
      else renameSync(aside, path);
      withFile(dirname(path), 'r', undefined, () => {});
    } finally {
      rmSync(aside, { force: true });
    }
  });
}

function withFile(path: string, flags: string, mode: number | undefined, use: (fd: number) => void): void {
  const fd = openSync(path, flags, mode);
  try {
    use(fd);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function attempt<T>(code: 'WEFT_CERTS_FILE_UNREADABLE' | 'WEFT_CERTS_FILE_UNWRITABLE', path: string, act: () => T): T {
  try {
    return act();
  } catch (err) {
    if (err instanceof CertsError) throw err;
    throw new CertsError(code, `${path} (${codeOf(err)})`, { cause: err });
  }
}

function hasCode(err: unknown, code: string): boolean {
  return codeOf(err) === code;
}

function codeOf(err: unknown): string {
  if (!(err instanceof Error)) return String(err);
  return 'code' in err ? String(err.code) : err.message;
}
