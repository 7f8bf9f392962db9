/** Broken cables, as one nftables table in the fabric: who may not reach whom, and how much is lost. @module */
import { fabricPort } from './scripts.ts';

/** What is broken at the moment. An empty list and a ratio of 0 is a healthy fabric. */
export interface Faults {
  /** Pairs of node numbers that cannot reach each other, in either direction. */
  readonly cuts: readonly (readonly [number, number])[];
  /** Share of frames between nodes that are dropped at random, 0 to 1. */
  readonly lossRatio: number;
}

export const HEALTHY: Faults = { cuts: [], lossRatio: 0 };

/** Input for `nft -f -`: replaces what was broken before, in one transaction. */
export function faultRules({ cuts, lossRatio }: Faults): string {
  const pairs = cuts.flatMap(([a, b]) => [
    `"${fabricPort(a)}" . "${fabricPort(b)}"`,
    `"${fabricPort(b)}" . "${fabricPort(a)}"`,
  ]);
  const perMille = Math.round(lossRatio * 1000);
  return `${[
    'table bridge weft_lab', // declared first, so that the delete below never misses
    'delete table bridge weft_lab',
    'table bridge weft_lab {',
    '  chain forward {',
    '    type filter hook forward priority 0; policy accept;',
    ...(pairs.length > 0 ? [`    iifname . oifname { ${pairs.join(', ')} } drop`] : []),
    ...(perMille > 0 ? [`    ${perMille < 1000 ? `numgen random mod 1000 < ${perMille} ` : ''}drop`] : []),
    '  }',
    '}',
  ].join('\n')}\n`;
}
