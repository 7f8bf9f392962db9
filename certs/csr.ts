/**
 * Certification requests (PKCS #10, RFC 2986): a public key, and the proof that whoever asks holds its private half.
 *
 * Everything else that a request may ask for is passed over: who gets which name and grant is for the issuer to say.
 * @module
 */
import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { DerError, DerReader, TAG } from './der.ts';
import { bitString, explicit, integer, oid, parsed, sequence, toDer } from './der-writer.ts';
import { commonName } from './issue.ts';
import { decodeOid, OID } from './oids.ts';

/** Ours have some 250 bytes. */
export const MAX_CSR_BYTES = 2_048;

/** @param privateKey ECDSA P-256 */
export function createCsr(privateKey: KeyObject, subject: string): Buffer {
  const publicKeyInfo = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const info = sequence(integer(Buffer.of(0)), commonName(subject), parsed(publicKeyInfo), explicit(0));
  const signature = sign('sha256', toDer(info), privateKey);
  return toDer(sequence(info, sequence(oid(OID.ecdsaWithSha256)), bitString(signature, 0)));
}

/** @returns the key that signed the request, or why it will not do, as a phrase; never throws, whatever a peer sent */
export function readCsr(der: Uint8Array): KeyObject | string {
  try {
    return der.length > MAX_CSR_BYTES ? `has ${der.length} bytes, at most ${MAX_CSR_BYTES} are read` : readKey(der);
  } catch (err) {
    // What is not a DerError comes from OpenSSL, over a key it cannot load.
    return err instanceof DerError ? err.message : 'its public key cannot be used';
  }
}

function readKey(der: Uint8Array): KeyObject | string {
  const file = new DerReader(Buffer.from(der));
  const outer = file.enter(TAG.sequence);
  file.end();
  const infoDer = outer.readWhole(TAG.sequence);
  const algorithm = decodeOid(outer.enter(TAG.sequence).read(TAG.oid));
  const signature = outer.read(TAG.bitString);
  outer.end();
  const info = new DerReader(infoDer).enter(TAG.sequence);
  if (!info.read(TAG.integer).equals(Buffer.of(0))) return 'is not of version 1';
  info.read(TAG.sequence); // subject
  const key = createPublicKey({ key: info.readWhole(TAG.sequence), format: 'der', type: 'spki' });
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return 'has a key that is not ECDSA P-256';
  if (algorithm !== OID.ecdsaWithSha256 || signature[0] !== 0) return 'is not signed with ECDSA and SHA-256';
  return verify('sha256', infoDer, key, signature.subarray(1)) ? key : 'is not signed by the key it names';
}
