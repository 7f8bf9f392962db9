/** Only the ASN.1 part of node-forge is loaded: a tenth of the time and half of the memory of the whole. @module */
declare module 'node-forge/lib/asn1.js' {
  import { asn1 } from 'node-forge';
  export = asn1;
}
