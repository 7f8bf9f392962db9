/**
 * What node-forge assembles for us: DER, element by element. Only its ASN.1 part is loaded; it never signs.
 * @module
 */
import asn1 from 'node-forge/lib/asn1.js';
import { encodeOid } from './oids.ts';

export type Asn1 = ReturnType<typeof asn1.create>;

export const sequence = (...items: Asn1[]): Asn1 => asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, items);
export const setOf = (...items: Asn1[]): Asn1 => asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SET, true, items);
export const explicit = (tag: number, ...items: Asn1[]): Asn1 =>
  asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, true, items);
export const context = (tag: number, bytes: Buffer): Asn1 =>
  asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, false, bytes.toString('latin1'));
export const oid = (dotted: string): Asn1 => primitive(asn1.Type.OID, encodeOid(dotted).toString('latin1'));
export const integer = (bytes: Buffer): Asn1 => primitive(asn1.Type.INTEGER, bytes.toString('latin1'));
export const octets = (bytes: Buffer): Asn1 => primitive(asn1.Type.OCTETSTRING, bytes.toString('latin1'));
export const utf8 = (text: string): Asn1 => primitive(asn1.Type.UTF8, Buffer.from(text).toString('latin1'));
export const isTrue = (): Asn1 => primitive(asn1.Type.BOOLEAN, '\xff');
export const bitString = (bytes: Buffer, unused: number): Asn1 =>
  primitive(asn1.Type.BITSTRING, String.fromCharCode(unused) + bytes.toString('latin1'));

/** Cut to whole seconds. */
export function time(ms: number): Asn1 {
  const at = new Date(Math.floor(ms / 1_000) * 1_000);
  return at.getUTCFullYear() < 2050 // RFC 5280 §4.1.2.5
    ? primitive(asn1.Type.UTCTIME, asn1.dateToUtcTime(at))
    : primitive(asn1.Type.GENERALIZEDTIME, asn1.dateToGeneralizedTime(at));
}

/** For bytes that are known to be DER. */
export const parsed = (der: Buffer): Asn1 => asn1.fromDer(der.toString('latin1'));
export const childrenOf = (item: Asn1): readonly Asn1[] => item.value as Asn1[];
export const toDer = (item: Asn1): Buffer => Buffer.from(asn1.toDer(item).getBytes(), 'latin1');

const primitive = (type: asn1.Type, bytes: string): Asn1 => asn1.create(asn1.Class.UNIVERSAL, type, false, bytes);
