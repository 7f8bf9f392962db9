/** How long the certificates of this node live, and how much of that is left. @module */
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import { CLOCK_SKEW_MS } from '../../certs/verify.ts';

/** Of the certificate that ends first on the way from the node to the root. */
export interface NodeLife {
  readonly subject: string;
  /** When it was issued: a minute after what it says, which is backdated for peers whose clock is behind. */
  readonly notBeforeMs: number;
  readonly expiresAtMs: number;
}

/** A certificate is renewed well before this: with less left, renewal has failed and somebody must look. */
const LIFE_LEFT = 1 / 3;

export function nodeLife({ chain, trust, spiffeId, expiresAtMs }: NodeIdentity): NodeLife {
  const [node] = chain;
  const all = [...chain, ...trust.roots];
  const first = all.find((certificate) => certificate.validToDate.getTime() === expiresAtMs) ?? node!;
  const subject = first === node ? spiffeId : `${first === chain[1] ? 'the issuer' : 'the root'} of ${spiffeId}`;
  // A short certificate under an issuer that ends with it: what counts is when this node got it.
  const notBeforeMs = first === node ? node!.validFromDate.getTime() + CLOCK_SKEW_MS : first.validFromDate.getTime();
  return { subject, notBeforeMs, expiresAtMs };
}

export function leftMs({ expiresAtMs }: NodeLife, nowMs: number): number {
  return expiresAtMs - nowMs;
}

/** Whether less than a third of its life is left. */
export function isLow(
  { notBeforeMs, expiresAtMs }: Pick<NodeLife, 'notBeforeMs' | 'expiresAtMs'>,
  nowMs: number,
): boolean {
  return (expiresAtMs - nowMs) / (expiresAtMs - notBeforeMs) < LIFE_LEFT;
}
