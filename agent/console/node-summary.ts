/** What each node says of itself to whichever console asks: workloads, certificates, documents, gossip. @module */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { keyText } from '../../gossip/documents/revision.ts';
import type { DocumentService } from '../documents/service.ts';
import type { MeshAnswers, Topic } from '../mesh-query/shapes.ts';
import type { Running } from '../running.ts';
import { weftVersion } from '../version.ts';

const MAX_ITEMS = 2_000;

const certificate = z.object({ expiresMs: z.number(), lifeMs: z.number(), renewal: z.string() });
export const nodeSummary = z.object({
  zone: z.string(),
  version: z.string(),
  /** Of its console for other machines; empty for none. */
  console: z.string(),
  certificate,
  workloads: z
    .array(
      z.object({
        id: z.string(),
        service: z.string(),
        state: z.string(),
        detail: z.string(),
        identity: z.string(),
        isCaptured: z.boolean(),
        certificateExpiresMs: z.number().nullable(),
        certificateLifeMs: z.number().nullable(),
      }),
    )
    .max(MAX_ITEMS),
  documents: z.object({ applied: z.int(), pending: z.int(), rejected: z.int() }),
  /** The same on nodes that have the same documents in use. */
  inUse: z.string(),
  pending: z
    .array(
      z.object({
        kind: z.string(),
        namespace: z.string(),
        name: z.string(),
        rev: z.string(),
        state: z.string(),
        why: z.string(),
      }),
    )
    .max(MAX_ITEMS),
  sees: z.array(z.object({ name: z.string(), state: z.string() })),
  gossip: z.record(z.string(), z.number()),
  access: z
    .array(
      z.object({
        policy: z.string(),
        rule: z.string(),
        isDryRun: z.boolean(),
        count: z.number(),
      }),
    )
    .max(MAX_ITEMS),
  plaintext: z
    .array(
      z.object({ source: z.string(), destination: z.string(), port: z.int(), count: z.number(), lastMs: z.number() }),
    )
    .max(MAX_ITEMS),
});
export type NodeSummary = z.infer<typeof nodeSummary>;

const NAME = 'console.node';
const NO_QUESTION = z.object({});

export function offerSummary(running: Running, service: DocumentService): void {
  const topic: Topic<Record<string, never>, NodeSummary> = {
    name: NAME,
    question: NO_QUESTION,
    answerSchema: nodeSummary,
    answer: () => summaryOf(running, service),
  };
  running.queries.offer(topic);
}

export function askSummaries({ queries }: Running): Promise<MeshAnswers<NodeSummary>> {
  return queries.ask({ name: NAME, answerSchema: nodeSummary }, {});
}

async function summaryOf(running: Running, service: DocumentService): Promise<NodeSummary> {
  const { config, node, certificates, mesh, enrolment, svids, plane } = running;
  const { life, renewal, bundleProblem } = certificates.view();
  const minted = new Map(svids.svids().map((svid) => [svid.spiffeId, svid]));
  const outcomes = service.outcomes();
  const count = (state: string): number => outcomes.filter((one) => one.state === state).length;
  const access = plane.stats.access();
  return {
    zone: config.zone,
    version: weftVersion(),
    console: config.console.listen,
    certificate: {
      expiresMs: node.expiresAtMs,
      lifeMs: life.expiresAtMs - life.notBeforeMs,
      renewal: bundleProblem || renewal.problem,
    },
    workloads: enrolment
      .view()
      .slice(0, MAX_ITEMS)
      .map(({ workload, identity, address, state, detail }) => {
        const svid = minted.get(identity);
        return {
          id: workload.id,
          service: `${workload.namespace}/${workload.service}`,
          state,
          detail,
          identity,
          isCaptured: address !== '' && config.capture.mode !== 'none',
          certificateExpiresMs: svid?.expiresAtMs ?? null,
          certificateLifeMs: svid === undefined ? null : svid.expiresAtMs - svid.notBeforeMs,
        };
      }),
    documents: { applied: count('applied'), pending: count('pending'), rejected: count('rejected') },
    inUse: digest(outcomes.map(({ key, active }) => `${keyText(key)} ${active}`)),
    pending: outcomes
      .filter(({ state }) => state !== 'applied')
      .slice(0, MAX_ITEMS)
      .map(({ key: { kind, namespace, name }, head, state, why }) => ({
        kind,
        namespace,
        name,
        rev: head,
        state,
        why,
      })),
    sees: mesh.members().map(({ name, state }) => ({ name, state })),
    gossip: await gossipFigures(mesh),
    access: access.slice(0, MAX_ITEMS).flatMap(({ labels, count: hits }) =>
      labels.kind === 'rule'
        ? [
            {
              policy: labels.policy,
              rule: labels.rule,
              isDryRun: labels.isDryRun,
              count: hits,
            },
          ]
        : [],
    ),
    plaintext: access
      .slice(0, MAX_ITEMS)
      .flatMap(({ labels, count: calls, lastMs }) =>
        labels.kind === 'plaintext'
          ? [{ source: labels.source, destination: labels.destination, port: labels.port, count: calls, lastMs }]
          : [],
      ),
  };
}

/** The numbers alone; nested ones under their own name. Empty when the mesh thread is gone. */
async function gossipFigures(mesh: Running['mesh']): Promise<Record<string, number>> {
  const stats = await mesh.stats().catch(() => ({}));
  return Object.fromEntries(
    Object.entries(stats).filter((pair): pair is [string, number] => typeof pair[1] === 'number'),
  );
}

function digest(lines: readonly string[]): string {
  return createHash('sha256').update(lines.toSorted().join('\n')).digest('hex').slice(0, 16);
}
