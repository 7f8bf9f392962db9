/** What each caller is told now: its SVIDs, the roots to check others by, or why it is told nothing. @module */
import { workloadId } from '../../certs/spiffe.ts';
import type { Svid } from '../../certs/svid.ts';
import type { TrustBundle } from '../../certs/trust-bundle.ts';
import type { Workload } from '../workloads/workload.ts';
import type { Callers, EnrolledUnit } from './callers.ts';
import { type Refusal, STATUS } from './grpc.ts';
import { x509BundlesResponse, x509SvidResponse } from './messages.ts';

export interface AnswerSources {
  /** What is in the mesh now. */
  readonly units: () => readonly EnrolledUnit[];
  /** All SVIDs in use. */
  readonly svids: () => readonly Svid[];
  readonly trust: () => TrustBundle;
}

/** Workload API §5: the answer to a caller that has no identity, now or any more. */
const NO_IDENTITY: Refusal = {
  status: STATUS.permissionDenied,
  message:
    'no workload of this node is known by the network namespace or the user of this program; see weft workloads, and on the host give spec.runs.host a uid',
};

export class Answers {
  readonly #sources: AnswerSources;
  readonly #callers: Callers;
  /** Made once a round, not for each of its calls. */
  #round: { readonly workloads: ReadonlyMap<string, readonly Workload[]>; readonly svids: ReadonlyMap<string, Svid> };

  constructor(sources: AnswerSources, callers: Callers) {
    this.#sources = sources;
    this.#callers = callers;
    this.#round = this.#look();
  }

  /** What was answered may be out of date. */
  refresh(): void {
    this.#round = this.#look();
  }

  /** One SVID an identity: workloads may share one, and one caller may be several. */
  svids(caller: string): Buffer | Refusal {
    const held = this.#svidsOf(caller);
    return held.length === 0 ? NO_IDENTITY : x509SvidResponse(held, this.#sources.trust());
  }

  bundles(caller: string): Buffer | Refusal {
    return this.#svidsOf(caller).length === 0 ? NO_IDENTITY : x509BundlesResponse(this.#sources.trust());
  }

  #svidsOf(caller: string): Svid[] {
    const { trustDomain } = this.#sources.trust();
    const workloads = this.#round.workloads.get(caller) ?? [];
    const ids = workloads.map(({ namespace, serviceAccount }) => workloadId(trustDomain, namespace, serviceAccount));
    return [...new Set(ids)].flatMap((id) => this.#round.svids.get(id) ?? []);
  }

  #look() {
    return {
      workloads: this.#callers.workloads(this.#sources.units()),
      svids: new Map(this.#sources.svids().map((svid) => [svid.spiffeId, svid])),
    };
  }
}
