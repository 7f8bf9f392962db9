/**
 * The messages of the SPIFFE Workload API, as Protocol Buffers (proto3): only those Weft sends, and only their writing,
 * because the requests it answers carry nothing.
 *
 * Source: SPIFFE_Workload_API §5 and its workload.proto. What Weft has none of (CRLs, federated bundles, hints) is left out.
 * @module
 */
import { trustDomainId } from '../../certs/spiffe.ts';
import type { Svid } from '../../certs/svid.ts';
import type { TrustBundle } from '../../certs/trust-bundle.ts';

/** What of an SVID goes out. */
export type SentSvid = Pick<Svid, 'spiffeId' | 'certificateChainPem' | 'privateKeyPem'>;

const PEM_BLOCK = /-----BEGIN [A-Z ]+-----([A-Za-z0-9+/=\s]+)-----END/g;
/** Wire type 2, length-delimited: all fields here are of it. */
const LENGTH_DELIMITED = 2;

/** X509SVIDResponse. @param svids the first is the one a program uses that knows of one only */
export function x509SvidResponse(svids: readonly SentSvid[], { roots }: TrustBundle): Buffer {
  const bundle = Buffer.concat(roots.map((root) => root.raw));
  const x509Svid = ({ spiffeId, certificateChainPem, privateKeyPem }: SentSvid): Buffer =>
    Buffer.concat([
      field(1, Buffer.from(spiffeId)),
      field(2, derOf(certificateChainPem)), // leaf first, then intermediates
      field(3, derOf(privateKeyPem)), // PKCS#8
      field(4, bundle),
    ]);
  return Buffer.concat(svids.map((svid) => field(1, x509Svid(svid))));
}

/** X509BundlesResponse, with one entry in its map. */
export function x509BundlesResponse({ trustDomain, roots }: TrustBundle): Buffer {
  const entry = [
    field(1, Buffer.from(trustDomainId(trustDomain))),
    field(2, Buffer.concat(roots.map((root) => root.raw))),
  ];
  return field(2, Buffer.concat(entry));
}

/** All blocks of a PEM text, one after the other, as the specification wants several certificates. */
function derOf(pem: string): Buffer {
  return Buffer.concat([...pem.matchAll(PEM_BLOCK)].map(([, base64]) => Buffer.from(base64!, 'base64')));
}

function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([varint((number << 3) | LENGTH_DELIMITED), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  return Buffer.from([...bytes, left]);
}
