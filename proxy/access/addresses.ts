/**
 * Addresses and ranges as text of zeros and ones behind the family: an address lies in a range when the range begins it,
 * so that ranges are found like any other prefix.
 * @module
 */

import ipaddr from 'ipaddr.js';

/** undefined for what is no address. IPv4 inside IPv6 is IPv4. */
export function addressBits(address: string): string | undefined {
  if (!ipaddr.isValid(address)) return undefined;
  const parsed = ipaddr.process(address);
  return bitsOf(parsed.kind(), parsed.toByteArray());
}

/** undefined for what is neither a range nor an address. */
export function rangeBits(range: string): string | undefined {
  const slash = range.indexOf('/');
  if (slash === -1) return addressBits(range);
  if (!ipaddr.isValidCIDR(range)) return undefined;
  const [address, bits] = ipaddr.parseCIDR(range);
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()) {
    return bits < 96 ? undefined : bitsOf('ipv4', address.toIPv4Address().toByteArray()).slice(0, 1 + bits - 96);
  }
  return bitsOf(address.kind(), address.toByteArray()).slice(0, 1 + bits);
}

function bitsOf(kind: string, bytes: readonly number[]): string {
  return (kind === 'ipv4' ? '4' : '6') + bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
}
