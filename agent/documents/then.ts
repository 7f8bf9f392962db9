/**
 * What the documents of an earlier moment came to: those in force then, compiled anew and put together as the keepers do.
 *
 * Which of them a node had taken by then is not kept; what is not known of documents either is said in words.
 * @module
 */
import { describeKey, keyText } from '../../gossip/documents/revision.ts';
import { AccessKeeper } from '../access/access-keeper.ts';
import type { RunningService } from '../traffic/service-facts.ts';
import { TrafficKeeper } from '../traffic/traffic-keeper.ts';
import type { DocumentConsumer } from './kind.ts';
import { MeshConfigConsumer } from './mesh-config.ts';
import type { DocumentService } from './service.ts';

/** More are not compiled for one question. */
export const MAX_COMPILED_THEN = 2_000;

export interface DocumentsThen {
  readonly access: AccessKeeper;
  readonly traffic: TrafficKeeper;
  /** What may have held as well, one sentence each. */
  readonly lacking: readonly string[];
}

export interface ThenOptions {
  readonly trustDomain: string;
  /** Of now: when a service ran is not kept. */
  readonly service: (id: string) => RunningService | undefined;
}

/** @returns undefined where more than `MAX_COMPILED_THEN` documents were in force */
export async function documentsThen(
  service: Pick<DocumentService, 'at' | 'cutOffAt' | 'compiled'>,
  atMs: number,
  { trustDomain, service: running }: ThenOptions,
): Promise<DocumentsThen | undefined> {
  const access = new AccessKeeper({ changed: () => {}, log: UNHEARD, nowMs: () => atMs });
  const traffic = new TrafficKeeper({ trustDomain, changed: () => {}, service: running });
  const mesh = new MeshConfigConsumer(
    (part) => access.meshChanged(part),
    (part) => traffic.meshChanged(part),
  );
  const consumers = new Map<string, DocumentConsumer>(
    [mesh, access, ...traffic.consumers].map((consumer) => [consumer.kind, consumer]),
  );
  const isAboutCalls = ({ kind }: { readonly kind: string }) => consumers.has(kind);
  const [inForce, cutOff] = await Promise.all([service.at(atMs), service.cutOffAt(atMs)]);
  const unknown = new Set(cutOff.map(keyText));
  const lacking = cutOff
    .filter(isAboutCalls)
    .map((key) => `${describeKey(key)} was there, but its revision of then is not kept any more`);
  const about = inForce.filter((document) => isAboutCalls(document) && !unknown.has(keyText(document)));
  if (about.length > MAX_COMPILED_THEN) return undefined;
  // One after the other, so that a document that is published meanwhile waits for one of them at most.
  for (const document of about) {
    const compiled = await service.compiled(document);
    if (!compiled.ok) lacking.push(`${describeKey(document)} of then does not compile here: ${compiled.problem}`);
    else await consumers.get(document.kind)!.activate(document, compiled.value, document.revision, document.hlc.ms);
  }
  return { access, traffic, lacking };
}

/** Of clocks, which nobody compares here. */
const UNHEARD = { error: () => {}, info: () => {} };
