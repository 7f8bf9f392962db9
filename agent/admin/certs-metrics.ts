/** Metrics of node certificates: how renewing goes, and, on an issuer, what its desk did. @module */
import type { Registry } from 'prom-client';
import type { CertificatesView } from '../identity/certificates.ts';
import { addCounter, addGauge, type Sample } from './scraped.ts';

export interface CertsMetricsSources {
  certificates(): CertificatesView;
  /** Renewals of SVIDs since the start, and those that failed. */
  svids(): { readonly renewals: number; readonly failures: number };
}

export function addCertsMetrics(registry: Registry, { certificates, svids }: CertsMetricsSources): void {
  addGauge(registry, {
    name: 'weft_certs_node_life_left_ratio',
    help: 'Share of the life of the certificates of this node that is left; below a third, renewal has failed. 0: expired.',
    read: () => {
      const { notBeforeMs, expiresAtMs } = certificates().life;
      return [[{}, Math.max(0, (expiresAtMs - Date.now()) / (expiresAtMs - notBeforeMs))]];
    },
  });
  addCounter(registry, {
    name: 'weft_certs_renewals_total',
    help: 'Attempts to renew the node certificate, by outcome.',
    labels: ['outcome'],
    read: () => outcomes(certificates().renewal),
  });
  addCounter(registry, {
    name: 'weft_certs_svid_renewals_total',
    help: 'Attempts to renew the certificate of a workload, by outcome.',
    labels: ['outcome'],
    read: () => outcomes(svids()),
  });
  addGauge(registry, {
    name: 'weft_certs_issuers',
    help: 'Issuers that are alive, as this node sees them. Without one, nothing can be renewed.',
    read: () => [[{}, certificates().issuers.length]],
  });
  addCounter(registry, {
    name: 'weft_certs_issued_total',
    help: 'Node certificates that this issuer issued, to joiners and to nodes that renew.',
    labels: ['to'],
    read: () => {
      const { desk } = certificates();
      if (desk === undefined) return [];
      return [
        [{ to: 'joiner' }, desk.stats.joined],
        [{ to: 'node' }, desk.stats.renewed],
      ] satisfies Sample[];
    },
  });
  addCounter(registry, {
    name: 'weft_certs_refused_total',
    help: 'Requests for a node certificate that this issuer refused, by reason.',
    labels: ['reason'],
    read: () => Object.entries(certificates().desk?.stats.refused ?? {}).map(([reason, n]): Sample => [{ reason }, n]),
  });
  addGauge(registry, {
    name: 'weft_certs_tokens_used_twice',
    help: 'Nodes that joined with a token another node had used before, found when issuers met again; weft check names them.',
    read: () => [[{}, certificates().desk?.conflicts.length ?? 0]],
  });
}

function outcomes({ renewals, failures }: { readonly renewals: number; readonly failures: number }): readonly Sample[] {
  return [
    [{ outcome: 'renewed' }, renewals],
    [{ outcome: 'failed' }, failures],
  ];
}
