/** Nodes of the mesh: what gossip here knows of them, and what each says itself. Pure. @module */
import type { PeerHealth } from '../../../gossip/view.ts';
import type { Coverage, MeshAnswers } from '../../mesh-query/shapes.ts';
import type { Judgement } from '../../observe/health.ts';
import type { NodeSummary } from '../node-summary.ts';
import type { MemberDetail, MemberRow, Members } from '../shapes/mesh.ts';
import { percent } from './health.ts';
import type { Register } from './register.ts';

const LITTLE_LIFE = 1 / 3;
const MUCH_SKEW_MS = 1_000;

export interface MembersParts {
  readonly register: Register;
  readonly peers: readonly PeerHealth[];
  readonly answers: MeshAnswers<NodeSummary>;
}

export function membersView(parts: MembersParts): Members {
  const { register, answers } = parts;
  const rows = register.members.filter(({ state }) => state !== 'left').map(({ name }) => memberRow(name, parts)!);
  return { members: rows.sort((a, b) => (a.name < b.name ? -1 : 1)), coverage: answers.coverage };
}

export function memberView(name: string, parts: MembersParts): MemberDetail | undefined {
  const member = memberRow(name, parts);
  const said = parts.answers.answers.get(name);
  if (member === undefined) return undefined;
  return {
    member,
    answered: said !== undefined,
    sees: said?.sees ?? [],
    workloads: (said?.workloads ?? []).map(({ id, service, state, detail, identity, certificateExpiresMs }) => {
      return { id, service, state, detail, identity, certificateExpiresMs };
    }),
    pending: (said?.pending ?? []).map((one) => ({ ...one, line: null })),
    events: [],
    coverage: parts.answers.coverage,
  };
}

function memberRow(name: string, { register, peers, answers }: MembersParts): MemberRow | undefined {
  const member = register.members.find((one) => one.name === name);
  if (member === undefined) return undefined;
  const said = answers.answers.get(name);
  const peer = peers.find((one) => one.name === name);
  const { state, address, isSelf, endpoints } = member;
  const captured = said?.workloads.filter(({ isCaptured }) => isCaptured).length ?? 0;
  return {
    name,
    state,
    zone: said?.zone ?? register.endpoints.find(({ node }) => node === name)?.zone ?? '',
    version: said?.version ?? '',
    address,
    isSelf,
    ...judgeMember(state, said, {
      isPast: register.isPast,
      skewMs: peer?.skewMs,
      coverage: answers.coverage,
      name,
      nowMs: register.nowMs,
    }),
    heardAgoMs: isSelf ? 0 : (peer?.heardAgoMs ?? null),
    rttMs: peer?.rttMs ?? null,
    skewMs: peer?.skewMs ?? null,
    endpoints,
    workloads: said?.workloads.length ?? null,
    capturedRatio: said === undefined || said.workloads.length === 0 ? null : captured / said.workloads.length,
    certificateExpiresMs: said?.certificate.expiresMs ?? null,
    certificateLifeMs: said?.certificate.lifeMs ?? null,
    renewal: said?.certificate.renewal ?? '',
    accusers: (peer?.accusers ?? 0) === 0 ? [] : accusersOf(name, answers),
    documents: said?.documents ?? null,
    gossip: said?.gossip ?? {},
  };
}

function judgeMember(
  state: string,
  said: NodeSummary | undefined,
  known: {
    readonly isPast: boolean;
    readonly skewMs: number | undefined;
    readonly coverage: Coverage;
    readonly name: string;
    readonly nowMs: number;
  },
): Judgement {
  if (state === 'dead' || state === 'unresponsive') return { health: 'bad', cause: `the mesh takes it for ${state}` };
  if (state === 'suspect') return { health: 'warn', cause: 'others doubt that it is alive' };
  if (known.isPast) return { health: 'ok', cause: 'alive; what else it said then is not kept' };
  if (said === undefined) {
    const missing = known.coverage.missing.find(({ node }) => node === known.name);
    return { health: 'unknown', cause: missing === undefined ? 'it was not asked' : `no answer: ${missing.reason}` };
  }
  const { certificate, documents, workloads } = said;
  const leftRatio = (certificate.expiresMs - known.nowMs) / certificate.lifeMs;
  if (leftRatio <= 0) return { health: 'bad', cause: 'its certificate has expired' };
  if (leftRatio < LITTLE_LIFE)
    return { health: 'warn', cause: `${percent(leftRatio)} of the life of its certificate is left` };
  if (documents.rejected > 0) return { health: 'warn', cause: `it rejects ${documents.rejected} documents` };
  if (Math.abs(known.skewMs ?? 0) > MUCH_SKEW_MS)
    return { health: 'warn', cause: 'its clock differs by more than 1 s' };
  const failed = workloads.filter(({ state: one }) => one !== 'ready').length;
  if (failed > 0) return { health: 'warn', cause: `${failed} of ${workloads.length} workloads are not ready` };
  return { health: 'ok', cause: 'alive, and says that all is well' };
}

/** Nodes that see it otherwise than alive. */
function accusersOf(name: string, { answers }: MeshAnswers<NodeSummary>): string[] {
  return [...answers].flatMap(([node, { sees }]) =>
    sees.some((one) => one.name === name && one.state !== 'alive') ? [node] : [],
  );
}
