/** The workloads of this node, as the data plane knows them. @module */

import type { X509Certificate } from 'node:crypto';
import type tls from 'node:tls';
import { parseCertificates } from '../certs/trust-bundle.ts';
import { hash32 } from './balancer/hash.ts';
import type { LocalWorkload } from './snapshot.ts';
import type { Parties } from './telemetry/parties.ts';
import type { LocalTarget } from './upstream/local-target.ts';

/** A workload of this node with its TLS credentials, which are replaced while connections run. */
export class Workload {
  data: LocalWorkload;
  secureContext: tls.SecureContext;
  /** By endpoint id. */
  readonly targets = new Map<string, LocalTarget>();
  /** Stands for its calls where endpoints are picked by hash. */
  readonly hash: number;
  #chain: readonly X509Certificate[] = [];
  #chainPem = '';

  constructor(data: LocalWorkload, context: tls.SecureContext) {
    this.data = data;
    this.secureContext = context;
    this.hash = hash32(`${data.id} ${data.address}`); // other nodes may have a workload of this id
  }

  /** What it shows to others: SVID, node, issuer. */
  get chain(): readonly X509Certificate[] {
    const pem = this.data.svid.certificateChainPem;
    if (pem !== this.#chainPem) {
      this.#chain = parseCertificates(pem, this.data.identity);
      this.#chainPem = pem;
    }
    return this.#chain;
  }
}

/** Whom its calls are counted under. @param destination 'namespace/service', or 'passthrough' */
export function outboundParties({ data }: Workload, destination: string): Parties {
  const { identity: source, namespace, service } = data;
  return { direction: 'outbound', source, sourceService: `${namespace}/${service}`, destination };
}

/** A port of a local workload, as a TLS server name finds it. */
export interface NamedTarget {
  readonly workload: Workload;
  readonly target: LocalTarget;
}
