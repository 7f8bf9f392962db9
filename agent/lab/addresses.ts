/**
 * Who has which address in a lab. Node N (from 1) is 10.77.0.N and fd77::N on the fabric, and gives its pods
 * 10.77.N.0/24 and fd77:0:0:N::/64, keeping .1 and ::1 for itself; the k-th pod (from 0) has 10.77.N.(10+k) and
 * fd77:0:0:N::(10+k). The fabric answers on 10.77.0.254 and fd77::fe: it is everyone's way out, and leads nowhere.
 *
 * @module
 */

/** One interface's addresses, without their prefix lengths. */
export interface Addresses {
  readonly address4: string;
  readonly address6: string;
}

/** .254 is the fabric's, and every node needs a third octet of its own. */
export const MAX_NODES = 200;
export const MAX_PODS_PER_NODE = 200;

export const FABRIC: Addresses = { address4: '10.77.0.254', address6: 'fd77::fe' };

export function uplinkOf(node: number): Addresses {
  return { address4: `10.77.0.${node}`, address6: `fd77::${hex(node)}` };
}

export function podGatewayOf(node: number): Addresses {
  return { address4: `10.77.${node}.1`, address6: `fd77:0:0:${hex(node)}::1` };
}

export function podSubnetsOf(node: number): { readonly v4: string; readonly v6: string } {
  return { v4: `10.77.${node}.0/24`, v6: `fd77:0:0:${hex(node)}::/64` };
}

/** @param pod counts from 0 on its node */
export function podAddresses(node: number, pod: number): Addresses {
  return { address4: `10.77.${node}.${10 + pod}`, address6: `fd77:0:0:${hex(node)}::${hex(10 + pod)}` };
}

function hex(value: number): string {
  return value.toString(16);
}
