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
  /** Every spelling under which it may be named: whole, without the scheme, and the path alone. Undefined in plaintext. */
  readonly identity: readonly [whole: string, bare: string, path: string] | undefined;
  readonly namespace: string | undefined;
  /** From `addressBits`; undefined where the address is not known. */
  readonly addressBits: string | undefined;
  readonly labels: readonly Readonly<Record<string, string>>[];
}

export function peerOf({ identity, address, labels }: AccessCaller): AccessPeer {
  const spellings = identity === undefined ? undefined : spellingsOf(identity);
  return {
    identity: spellings,
    namespace: spellings === undefined ? undefined : namespaceOf(spellings[2]),
    addressBits: address === undefined ? undefined : addressBits(address),
    labels,
  };
}

function spellingsOf(identity: string): readonly [string, string, string] {
  const bare = identity.slice(identity.indexOf('://') + 3);
  return [identity, bare, bare.slice(bare.indexOf('/') + 1)];
}

/** Of `ns/shop/sa/web`. Only workloads come this far, and their paths have this form. */
function namespaceOf(path: string): string | undefined {
  const end = path.indexOf('/', 3);
  return path.startsWith('ns/') && end !== -1 ? path.slice(3, end) : undefined;
}
