/**
 * Signing in the browser. The operator's key is read from a file into a WebCrypto key that cannot be taken out again, lives in
 * memory for as long as the tab does, and never goes to an agent. What it signs is read first: a page that says one document
 * and hands over the bytes of another gets no signature.
 * @module
 */

export interface OperatorKey {
  readonly key: CryptoKey;
  /** DER. */
  readonly certificate: Uint8Array<ArrayBuffer>;
  /** The file's name, as people know the key. */
  readonly name: string;
}

/** What the statement says, field by field; see gossip/documents/revision.ts. */
export interface Statement {
  readonly trustDomain: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly number: number;
  readonly base: string;
  readonly hlc: { readonly ms: number; readonly count: number };
  readonly author: string;
  /** Null deletes. */
  readonly body: { readonly bytes: number; readonly sha256: string } | null;
  readonly certificateSha256: string;
}

export interface Expected {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Id of the revision that it replaces; '' for the first. */
  readonly base: string;
}

/**
 * @param files `operator.key` and `operator.crt` of the operator's directory, in any order
 * @throws Error saying what is missing or will not do
 */
export async function readOperatorKey(
  files: readonly { name: string; text(): Promise<string> }[],
): Promise<OperatorKey> {
  let key: CryptoKey | undefined;
  let certificate: Uint8Array<ArrayBuffer> | undefined;
  let name = '';
  for (const file of files) {
    const text = await file.text();
    const pkcs8 = pemBlock(text, 'PRIVATE KEY');
    if (pkcs8 !== undefined) {
      name = file.name;
      key = await crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', false, ['sign']).catch(() => {
        throw new Error(`${file.name}: is no Ed25519 key; choose operator.key of an operator's directory`);
      });
    }
    certificate ??= pemBlock(text, 'CERTIFICATE');
  }
  if (key === undefined) throw new Error('No private key in these files; choose operator.key as well');
  if (certificate === undefined) throw new Error('No certificate in these files; choose operator.crt as well');
  return { key, certificate, name };
}

/** @throws Error when the bytes are no statement of a document */
export function readStatement(bytes: Uint8Array): Statement {
  const lines = new TextDecoder('utf-8', { fatal: true }).decode(bytes).split('\n');
  const [title, trustDomain, kind, namespace, name, number, base, hlc, author, body, certificateSha256, end] = lines;
  const [ms, count] = (hlc ?? '').split(' ').map(Number);
  const [length, sha256] = (body ?? '').split(' ');
  if (title !== 'weft document 1' || lines.length !== 12 || end !== '') {
    throw new Error('What the agent gave to sign is no document; nothing was signed');
  }
  return {
    trustDomain: trustDomain!,
    kind: kind!,
    namespace: namespace!,
    name: name!,
    number: Number(number),
    base: base!,
    hlc: { ms: ms ?? 0, count: count ?? 0 },
    author: author!,
    body: body === 'deleted' ? null : { bytes: Number(length), sha256: sha256 ?? '' },
    certificateSha256: certificateSha256!,
  };
}

/**
 * Signs what an agent prepared, once it says what the page says.
 *
 * @param toSign base64url of the statement
 * @param body the canonical JSON that the agent made of the YAML; null deletes
 * @throws Error saying which of the two differ
 */
export async function signStatement(
  operator: OperatorKey,
  toSign: string,
  body: string | null,
  expected: Expected,
): Promise<{ readonly statement: Statement; readonly signature: Uint8Array }> {
  const bytes = fromBase64(toSign);
  const statement = readStatement(bytes);
  for (const field of ['kind', 'namespace', 'name', 'base'] as const) {
    if (statement[field] !== expected[field]) {
      throw new Error(
        `${field}: the agent gave ${statement[field] || 'nothing'} to sign, not ${expected[field] || 'nothing'}`,
      );
    }
  }
  if (statement.certificateSha256 !== (await sha256Hex(operator.certificate))) {
    throw new Error('certificate: the agent gave another operator to sign for; choose the key again');
  }
  const said = body === null ? null : new TextEncoder().encode(body);
  const isSame = said === null ? statement.body === null : statement.body?.sha256 === (await sha256Hex(said));
  if (!isSame) throw new Error('body: the agent gave other content to sign than it shows; nothing was signed');
  const signature = new Uint8Array(await crypto.subtle.sign('Ed25519', operator.key, bytes));
  return { statement, signature };
}

export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** Of base64 and base64url. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const raw = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
}

function pemBlock(text: string, label: string): Uint8Array<ArrayBuffer> | undefined {
  const found = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`).exec(text);
  return found?.[1] === undefined ? undefined : fromBase64(found[1].replace(/\s+/g, ''));
}

async function sha256Hex(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
