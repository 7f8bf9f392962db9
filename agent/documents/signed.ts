/** Signed revisions as JSON, between the CLI and an agent and in snapshots. @module */
import { z } from 'zod';
import type { Revision } from '../../gossip/documents/revision.ts';
import { MAX_BODY_BYTES } from '../../gossip/documents/revision.ts';
import type { SignedRevision } from './views.ts';

const base64 = z.base64().max(16_384);
const count = z.int().min(0);

/** Shape only; whether it is worth anything is for the library to say. */
export const signedRevision: z.ZodType<SignedRevision> = z.object({
  kind: z.string().max(64),
  namespace: z.string().max(64),
  name: z.string().max(253),
  number: count,
  base: z.string().max(32),
  hlc: z.object({ ms: count, count }),
  author: z.string().max(2_048),
  body: z
    .string()
    .max(2 * MAX_BODY_BYTES)
    .nullable(),
  certificate: base64,
  signature: base64,
});

export function toSigned(revision: Revision): SignedRevision {
  const { kind, namespace, name, number, base, hlc, author, body, certificate, signature } = revision;
  return {
    kind,
    namespace,
    name,
    number,
    base,
    hlc: { ms: hlc.ms, count: hlc.count },
    author,
    body: body === null ? null : new TextDecoder().decode(body),
    certificate: Buffer.from(certificate).toString('base64'),
    signature: Buffer.from(signature).toString('base64'),
  };
}

export function fromSigned(signed: SignedRevision): Revision {
  return {
    ...signed,
    body: signed.body === null ? null : new Uint8Array(Buffer.from(signed.body, 'utf8')),
    certificate: new Uint8Array(Buffer.from(signed.certificate, 'base64')),
    signature: new Uint8Array(Buffer.from(signed.signature, 'base64')),
  };
}
