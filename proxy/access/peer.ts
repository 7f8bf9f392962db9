/** Who calls. @module */

import { addressBits } from './addresses.ts';

/** A caller as the network and the register know it. */
export interface AccessCaller {
  /** SPIFFE id; undefined for plaintext. */
  readonly identity: string | undefined;
  readonly address: string | undefined;
  /** Of every workload it may be, as the register has them; empty where none is known. */
  readonly labels: readonly Readonly<Record<string, string>>[];
}

/** A caller as rules see it. */
export interface AccessPeer {
  readonly identity: string | undefined;
  readonly namespace: string | undefined;
  /** From `addressBits`; undefined where the address is not known. */
  readonly addressBits: string | undefined;
  readonly labels: readonly Readonly<Record<string, string>>[];
}

export function peerOf({ identity, address, labels }: AccessCaller): AccessPeer {
  return {
    identity,
    namespace: identity === undefined ? undefined : /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/[^/]+$/.exec(identity)?.[1],
    addressBits: address === undefined ? undefined : addressBits(address),
    labels,
  };
}

/** Every spelling under which an identity may be named: whole, without the scheme, and the path alone. */
export function identitySpellings(identity: string): readonly string[] {
  const bare = identity.slice(identity.indexOf('://') + 3);
  return [identity, bare, bare.slice(bare.indexOf('/') + 1)];
}
