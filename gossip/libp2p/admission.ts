/**
 * Who may connect: noise, and inside it the exchange of node certificates, before any stream can open.
 *
 * libp2p knows peers by a key of its own. It has no peer ids for ECDSA keys (`peerIdFromPublicKey` of @libp2p/peer-id
 * 6.0.15 refuses them), so the certificate's P-256 key cannot be that key itself; it vouches for it instead. Each process
 * makes an Ed25519 key at start, and its certificate key signs the peer id that follows. Noise proves that the peer holds
 * the Ed25519 key, the signature binds it to the certificate, and the certificate to our root. A copied binding is useless
 * without the key that noise asks for. A key per process also keeps a restarted node's connections apart from those of its
 * former self.
 *
 * Both sides say yes or no before either goes on, so a dial does not look successful to a peer that was refused. The
 * noise prologue is bound to the trust domain: a peer of another one fails before it sees a certificate.
 * @module
 */
import { createHash, type KeyObject, verify } from 'node:crypto';
import type {
  ConnectionEncrypter,
  MessageStream,
  PeerId,
  SecureConnectionOptions,
  SecuredConnection,
} from '@libp2p/interface';
import { type NoiseComponents, noise } from '@libp2p/noise';
import { type LengthPrefixedStream, lpStream } from '@libp2p/utils';
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import type { NodeCredential, NodeSigner } from '../edge/node-signer.ts';
import { pack, unpackGuarded } from '../wire/pack.ts';

/** Reasons beside those of certs/verify.ts. */
export type AdmissionRefusal =
  | 'garbage' // not a word of the handshake
  | 'timeout' // no handshake in time
  | 'handshake' // noise failed: another trust domain, or broken crypto
  | 'credential' // no well-formed certificate exchange
  | 'binding' // the certificate does not vouch for the key that noise proved
  | 'own-name' // another process uses our certificate
  | 'refused-us'; // the other side said no

export interface AdmissionOptions {
  readonly identity: NodeIdentity;
  readonly signer: NodeSigner;
  readonly refused: (reason: string, detail: string) => void;
}

/** Said in the error of a dial that reached ourselves; libp2p keeps only the message of what an encrypter throws. */
export const SELF_DIALLED = 'weft: dialled ourselves';

export const ADMISSION_PROTOCOL = '/weft/noise-node/1';
/** Three certificates of 8 KiB and a signature. */
const MAX_CREDENTIAL_BYTES = 24 * 1024;
/** Certificates in one exchange; no valid chain has more. */
const MAX_CHAIN = 8;
const MAX_ADMITTED = 4_096;
const YES = Uint8Array.of(1);
const NO = Uint8Array.of(0);

/** Remembers who was admitted under which peer id; makes the encrypter that admits them. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #admitted = new Map<string, NodeCredential>();
  /** Connections that came as far as the encrypter: what goes wrong later is counted here, not as garbage. */
  readonly #seen = new WeakSet<object>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** What the peer behind a connection proved. */
  who(peer: PeerId): NodeCredential | undefined {
    return this.#admitted.get(peer.toString());
  }

  forget(peer: PeerId): void {
    this.#admitted.delete(peer.toString());
  }

  hasSeen(connection: object): boolean {
    return this.#seen.has(connection);
  }

  encrypter(): (components: NoiseComponents) => ConnectionEncrypter {
    const { trustDomain } = this.#options.identity;
    const prologueBytes = createHash('sha256').update(`weft ${trustDomain}`).digest();
    return (components) => {
      const inner = noise({ prologueBytes })(components);
      const binding = bindingStatement(trustDomain, components.peerId);
      const credential = credentialFor(this.#options.signer, binding);
      const secure = async (
        direction: 'secureInbound' | 'secureOutbound',
        connection: MessageStream,
        options?: SecureConnectionOptions,
      ): Promise<SecuredConnection> => {
        this.#seen.add(connection);
        const secured = await this.#shakeHands(() => inner[direction](connection, options));
        if (secured.remotePeer.equals(components.peerId)) throw new Error(SELF_DIALLED);
        await this.#exchange(secured, credential(), options);
        return secured;
      };
      return {
        protocol: ADMISSION_PROTOCOL,
        secureInbound: (connection, options) => secure('secureInbound', connection, options),
        secureOutbound: (connection, options) => secure('secureOutbound', connection, options),
      };
    };
  }

  async #shakeHands(handshake: () => Promise<SecuredConnection>): Promise<SecuredConnection> {
    try {
      return await handshake();
    } catch (err) {
      throw this.#refuse('handshake', err instanceof Error ? err.message : String(err));
    }
  }

  async #exchange(
    secured: SecuredConnection,
    credential: Uint8Array,
    options: SecureConnectionOptions | undefined,
  ): Promise<void> {
    const stream = lpStream(secured.connection, { maxDataLength: MAX_CREDENTIAL_BYTES });
    await stream.write(credential, options);
    const verdict = this.#examine(await this.#readCredential(stream, options), secured.remotePeer);
    await stream.write(verdict.ok ? YES : NO, options);
    if (!verdict.ok) throw this.#refuse(verdict.reason, verdict.detail);
    const answer = await stream.read(options).catch(() => undefined);
    if (answer?.length !== 1 || answer.get(0) !== YES[0]) throw this.#refuse('refused-us', verdict.admitted.name);
    stream.unwrap();
    this.#remember(secured.remotePeer, verdict.admitted);
  }

  async #readCredential(
    stream: LengthPrefixedStream,
    options: SecureConnectionOptions | undefined,
  ): Promise<Uint8Array> {
    try {
      return (await stream.read(options)).subarray();
    } catch (err) {
      throw this.#refuse('credential', err instanceof Error ? err.message : String(err));
    }
  }

  #examine(
    bytes: Uint8Array,
    peer: PeerId,
  ): { ok: true; admitted: NodeCredential } | { ok: false; reason: string; detail: string } {
    const credential = decodeCredential(bytes);
    if (credential === undefined) return { ok: false, reason: 'credential', detail: 'malformed' };
    const admission = this.#options.signer.examine(credential.chain);
    if (!admission.ok) return admission;
    const { name, publicKey } = admission.credential;
    const { trustDomain, name: ownName } = this.#options.identity;
    if (!isBound(publicKey, bindingStatement(trustDomain, peer), credential.signature)) {
      return { ok: false, reason: 'binding', detail: `${name} did not sign this peer id` };
    }
    if (name === ownName) return { ok: false, reason: 'own-name', detail: 'its certificate names this node' };
    return { ok: true, admitted: admission.credential };
  }

  #remember(peer: PeerId, admitted: NodeCredential): void {
    const oldest = this.#admitted.keys().next();
    if (this.#admitted.size >= MAX_ADMITTED && !oldest.done) this.#admitted.delete(oldest.value);
    this.#admitted.set(peer.toString(), admitted);
  }

  #refuse(reason: string, detail: string): Error {
    this.#options.refused(reason, detail);
    return new Error(`weft: peer refused (${reason}): ${detail}`);
  }
}

function bindingStatement(trustDomain: string, peer: PeerId): Uint8Array {
  return new TextEncoder().encode(`weft bind 1\n${trustDomain}\n${peer.toString()}`);
}

function isBound(publicKey: KeyObject, statement: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify('sha256', statement, publicKey, signature);
  } catch {
    return false;
  }
}

/** What we show: made anew only when our certificate was renewed. */
function credentialFor(signer: NodeSigner, binding: Uint8Array): () => Uint8Array {
  let shown: { readonly identity: NodeIdentity; readonly bytes: Uint8Array } | undefined;
  return () => {
    const { identity } = signer;
    if (shown?.identity !== identity) {
      const chain = identity.chain.map((certificate) => certificate.raw);
      shown = { identity, bytes: pack([1, chain, signer.sign(binding)]) };
    }
    return shown.bytes;
  };
}

/** Shape only; undefined for whatever is not the exchange that we speak. */
export function decodeCredential(bytes: Uint8Array): { chain: Uint8Array[]; signature: Uint8Array } | undefined {
  const fields = unpackGuarded(bytes);
  if (!Array.isArray(fields) || fields[0] !== 1) return undefined;
  const [, chain, signature] = fields as unknown[];
  if (!Array.isArray(chain) || !(signature instanceof Uint8Array)) return undefined;
  if (chain.length > MAX_CHAIN) return undefined;
  return chain.every((der) => der instanceof Uint8Array) ? { chain, signature } : undefined;
}
