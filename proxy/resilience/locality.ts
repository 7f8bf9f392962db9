/**
 * Traffic stays near: with endpoints of this node, else of its zone, its region, anywhere. Where too few of the near ones are
 * well, the share that they lack goes one step further, and the rest stays. Source: Envoy's priority levels and
 * overprovisioning factor, which is the reciprocal of our `spillBelowRatio`.
 * @module
 */

import type { Locality } from '../traffic/rules.ts';

/** A zone is `region/zone`, or `zone` alone where nobody names regions; '' is unknown. */
export interface Place {
  readonly node: string;
  readonly zone?: string | undefined;
}

/** From this node to anywhere. */
export const NEARNESS = 4;

/** 0 on the same node, 1 in its zone, 2 in its region, 3 elsewhere. */
export function nearness(from: Place, to: Place): number {
  if (from.node === to.node) return 0;
  const { zone: here = '' } = from;
  const { zone: there = '' } = to;
  if (here === '' || there === '') return 3;
  if (here === there) return 1;
  const region = regionOf(here);
  return region !== '' && region === regionOf(there) ? 2 : 3;
}

function regionOf(zone: string): string {
  const end = zone.indexOf('/');
  return end === -1 ? '' : zone.slice(0, end);
}

export interface Level {
  /** Endpoints that take traffic. */
  readonly well: number;
  /** Endpoints that there should be. */
  readonly all: number;
}

/**
 * What part of the traffic each level takes, nearest first; they add up to 1, or to 0 where nobody is well.
 *
 * @param levels nearest first
 */
export function shares(
  levels: readonly Level[],
  { spillBelowRatio }: Pick<Locality, 'spillBelowRatio'>,
): readonly number[] {
  let left = 1;
  const taken = levels.map(({ well, all }) => {
    if (well === 0) return 0;
    const able = spillBelowRatio <= 0 ? 1 : Math.min(1, well / all / spillBelowRatio);
    const share = Math.min(left, able);
    left -= share;
    return share;
  });
  const sum = 1 - left;
  return sum > 0 && left > 1e-9 ? taken.map((share) => share / sum) : taken;
}
