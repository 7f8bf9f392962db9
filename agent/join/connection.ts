/** What both ends of a connection to a join listener share: TLS, and one frame each way. @module */
import type tls from 'node:tls';
import { FrameReader } from '../../gossip/libp2p/frames.ts';

/** 1.3 only; each side is judged by `certs/` right after the handshake, not by OpenSSL, which knows no issuers of ours. */
export const JOIN_TLS = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  sigalgs: 'ecdsa_secp256r1_sha256',
  rejectUnauthorized: false,
  ca: [],
  ALPNProtocols: ['weft-join/1'],
} as const satisfies tls.SecureContextOptions & { rejectUnauthorized: boolean; ALPNProtocols: readonly string[] };

/** The first frame of a connection; undefined when it ends before, or announces one that is too long. */
export async function readFrame(socket: tls.TLSSocket, maxBytes: number): Promise<Uint8Array | undefined> {
  const reader = new FrameReader(maxBytes);
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      const frames = reader.push(chunk as Buffer);
      if (frames === undefined) socket.destroy();
      if (frames === undefined || frames.length > 0) return frames?.[0];
    }
  } catch {
    // reset by the other side, or by a deadline
  }
  return undefined;
}
