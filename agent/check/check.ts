/**
 * `weft check`: everything that must be right for an agent to work, asked in one go. An agent answers for itself; where none
 * runs, the same questions are asked of the machine and the files, as far as they can be. @module
 */
import { platform, release } from 'node:os';
import type { MemberView } from '../admin/views.ts';
import type { AgentConfig } from '../config.ts';
import type { CertificatesView } from '../identity/certificates.ts';
import type { Problem } from '../problem.ts';
import { checkBundle, checkCertificates } from './certificates.ts';
import { checkCapabilities, checkClock, checkKernel, checkNft, readClock } from './machine.ts';
import { checkPeers } from './mesh.ts';
import { checkDataDirectory, checkPorts, checkProblems, checkWorkloadFiles, checkWorkloadsDirectory } from './node.ts';
import { type CheckReport, type CheckResult, reportOf } from './report.ts';
import { checkRoots, type RootFacts } from './roots.ts';
import { checkTraffic } from './traffic.ts';

/** What only a running agent knows. */
export interface RunningFacts {
  readonly members: readonly Pick<MemberView, 'name' | 'state' | 'isSelf'>[];
  /** How many seed addresses the configuration names. */
  readonly seeds: number;
  /** Clocks of peers against ours, where known. */
  readonly peerSkewsMs: readonly number[];
  readonly certificates: Pick<CertificatesView, 'life' | 'renewal' | 'bundleProblem' | 'desk'>;
  readonly trust: Omit<RootFacts, 'peersAlive'>;
  readonly workloads: number;
  readonly problems: readonly Problem[];
  /** What is probably a mistake in documents about traffic that are in use. */
  readonly trafficAdvice: readonly string[];
}

/** Asked by a running agent of itself. */
export async function checkRunning(config: AgentConfig, facts: RunningFacts): Promise<CheckReport> {
  return reportOf([
    ...(await checkCaptureNeeds(config)),
    checkClock(readClock(facts.peerSkewsMs)),
    ...checkCertificates(facts.certificates, Date.now()),
    checkRoots({ ...facts.trust, peersAlive: alivePeers(facts.members) }, Date.now()),
    await checkDataDirectory(config.dataDirectory),
    await checkWorkloadsDirectory(config.workloadsDirectory),
    checkProblems(facts.problems, facts.workloads),
    checkPeers(facts.members, facts.seeds),
    checkTraffic(facts.trafficAdvice),
  ]);
}

/** Asked where no agent runs: would one start? */
export async function checkBeforeStart(config: AgentConfig): Promise<CheckReport> {
  return reportOf([
    ...(await checkCaptureNeeds(config)),
    checkClock(readClock()),
    checkBundle(config.certs.bundleDirectory, { nowMs: Date.now(), mayBeAbsent: config.file === undefined }),
    await checkPorts(listeners(config)),
    await checkDataDirectory(config.dataDirectory),
    await checkWorkloadsDirectory(config.workloadsDirectory),
    await checkWorkloadFiles(config.workloadsDirectory, config.capture.mode === 'namespace'),
  ]);
}

function alivePeers(members: RunningFacts['members']): number {
  return members.filter(({ isSelf, state }) => !isSelf && state === 'alive').length;
}

async function checkCaptureNeeds({ capture }: AgentConfig): Promise<readonly CheckResult[]> {
  if (capture.mode === 'none') return []; // nothing is redirected: neither kernel nor rights matter
  return [checkKernel(platform(), release()), await checkNft(), await checkCapabilities()];
}

function listeners({ admin, metrics, gossip, certs }: AgentConfig): { setting: string; listen: string }[] {
  const isJoinable = certs.issuerDirectory !== undefined && certs.join.listen !== '';
  return [
    { setting: 'admin.listen', listen: admin.listen },
    { setting: 'metrics.listen', listen: metrics.listen },
    { setting: 'gossip.listen', listen: gossip.listen },
    ...(isJoinable ? [{ setting: 'certs.join.listen', listen: certs.join.listen }] : []),
  ];
}
