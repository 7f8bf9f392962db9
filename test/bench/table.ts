/** Results for people. @module */
import { type CaseResult, type Figures, isBulk, type Ratios } from './compare.ts';

export function caseLines({ name, loadAverage, proxies, direct, against }: CaseResult): readonly string[] {
  const all = Object.entries({ ...proxies, ...(direct === undefined ? {} : { direct }) });
  const ratios = Object.entries(against).map(([set, ratio]) => `  weft / ${set.padEnd(10)} ${ratioCells(ratio)}`);
  return [
    `${name} (load average ${loadAverage.toFixed(1)})`,
    ...all.map(([set, figures]) => `  ${set.padEnd(10)}${cells(figures)}`),
    ...ratios,
  ];
}

function cells(figures: Figures): string {
  const { rssMb, coreShare, failed } = figures;
  const ofSet = [
    `${rssMb.toFixed(0)} MB`.padStart(8),
    `${(coreShare * 100).toFixed(0)} % of the core`.padStart(18),
    `${failed} failed`.padStart(11),
  ];
  if (isBulk(figures)) {
    const { mbPerSec, cpuSecondsPerGb } = figures;
    return [
      `${mbPerSec.toFixed(0)} MB/s`.padStart(12),
      `${cpuSecondsPerGb.toFixed(2)} s/GB`.padStart(12),
      ...ofSet,
    ].join('');
  }
  const { reqPerSec, cpuUsPerRequest, p50Ms, p99Ms, p999Ms } = figures;
  return [
    `${reqPerSec.toFixed(0)}/s`.padStart(10),
    `${cpuUsPerRequest.toFixed(1)} us CPU`.padStart(15),
    `p50 ${p50Ms.toFixed(2)} ms`.padStart(15),
    `p99 ${p99Ms.toFixed(2)} ms`.padStart(15),
    `p99.9 ${p999Ms.toFixed(2)} ms`.padStart(18),
    ...ofSet,
  ].join('');
}

function ratioCells({ cpu, rate, p50, p99 }: Ratios): string {
  const latency = p50 === undefined || p99 === undefined ? '' : `, ${p50.toFixed(2)} x p50, ${p99.toFixed(2)} x p99`;
  return `${cpu.toFixed(2)} x CPU, ${rate.toFixed(2)} x rate${latency}`;
}
