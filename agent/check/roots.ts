/** Whether the roots that this node trusts will do, and whether others trust the same. @module */
import type { X509Certificate } from 'node:crypto';
import { shortName } from '../rotation/root-follower.ts';
import { type CheckResult, fail, ok, warn } from './report.ts';

export interface RootFacts {
  readonly roots: readonly X509Certificate[];
  /** Other members that are alive. */
  readonly peersAlive: number;
  /** Peers that were refused because no root trusted here vouches for them, and peers that refused this node. */
  readonly strangers: number;
}

const NAME = 'roots';
/** A root is replaced long before its end: what it signed ends with it. */
const LIFE_LEFT = 0.1;

export function checkRoots({ roots, peersAlive, strangers }: RootFacts, nowMs: number): CheckResult {
  const ending = roots.find((root) => shareLeft(root, nowMs) < LIFE_LEFT);
  if (peersAlive === 0 && strangers > 0) {
    const detail = 'peers answer, but no root that this node trusts vouches for them, or none of theirs for this node';
    const fix =
      'if the root was rotated while this node was away: copy rotation.json from the trust domain, or from the bundle ' +
      'directory of another node, into its own; no restart is needed. Else: weft join, or weft node issue';
    return fail(NAME, detail, fix);
  }
  if (roots.length > 1) {
    const detail = `${roots.map(shortName).join(', ')}: a rotation of the root is under way`;
    return warn(NAME, detail, 'weft cert rotate-root status shows where it is; then finish or abort it');
  }
  if (ending !== undefined) {
    const detail = `root ${shortName(ending)} expires at ${ending.validToDate.toISOString()}`;
    return warn(NAME, detail, 'weft cert rotate-root begin brings in a new one while everything runs');
  }
  return ok(NAME, roots.map(shortName).join(', '));
}

function shareLeft({ validFromDate, validToDate }: X509Certificate, nowMs: number): number {
  const [fromMs, toMs] = [validFromDate.getTime(), validToDate.getTime()];
  return (toMs - nowMs) / (toMs - fromMs);
}
