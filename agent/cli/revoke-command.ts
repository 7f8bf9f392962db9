/** `weft revoke`: certificates of a node, a workload or an operator are worth nothing from now on. Any agent will do. @module */
import type { Command } from 'commander';
import type { OperatorIdentity } from '../../certs/operator-bundle.ts';
import type { DocumentKey } from '../../gossip/documents/revision.ts';
import type { Resource } from '../documents/resource.ts';
import type { RevisionStatusView } from '../documents/views.ts';
import { AgentError } from '../errors.ts';
import { type AgentPlace, agentPlace, withAgent } from './agent-place.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { CliIo } from './io.ts';
import type { Context } from './program.ts';

type Revoked = Parameters<typeof agentPlace>[0] & {
  readonly subject: string;
  readonly operator?: string;
  readonly reason?: string;
  readonly distrustSince?: string;
  readonly dryRun?: boolean;
};

const DAY_MS = 86_400_000;
/** Longer than certificates of these may live: workloads by config, nodes by the life of the issuer that signs them. */
const LONGEST_LIFE_MS = { workload: 8 * DAY_MS, node: 400 * DAY_MS } as const;
/** Nodes that are there have a revocation in use long before. */
const PATIENCE_MS = 10_000;
const LOOK_MS = 50;

export function addRevokeCommand(program: Command, context: Context): void {
  withAgent(program.command('revoke <subject>'))
    .description('call back certificates: of node/NAME, workload/ns/NAMESPACE/sa/ACCOUNT or operator/NAME')
    .option('--operator <directory>', 'operator.key and operator.crt to sign with (or WEFT_OPERATOR)')
    .option('--reason <text>', 'for people; it is published')
    .option(
      '--distrust-since <instant>',
      'of an operator: do not sign anew what it wrote since, such as 2026-03-01T12:00:00Z; what stood before comes back',
    )
    .option('--dry-run', 'say what would be done')
    .action((subject: string, options: Omit<Revoked, 'subject'>) =>
      context.action<Revoked>(revoke)({ ...options, subject }),
    );
}

/** What `weft revoke` does. */
export async function revoke(options: Revoked, io: CliIo): Promise<ExitCode> {
  const { loadOperator } = await import('./document-writer.ts');
  const { subject } = options;
  const place = agentPlace(options, io.env);
  const operator = loadOperator(options.operator, io.env);
  const author = await checkSubject(subject, operator);
  const { key, resource } = await revocation(options, io.nowMs());
  await checkScope(operator, key);
  if (subject.startsWith('operator/')) await signAnew(author, { options, place, operator, io });
  if (options.dryRun === true) {
    io.stdout.write(`${subject} would be revoked\n`);
    return EXIT.ok;
  }
  const revision = await publish(key, resource, { place, operator, nowMs: io.nowMs() });
  io.stdout.write(`${subject} revoked, revision ${revision.slice(0, 12)}\n`);
  return acknowledged(place, revision, io);
}

/** @returns the SPIFFE ID of the subject */
async function checkSubject(subject: string, operator: OperatorIdentity): Promise<string> {
  const { revocationSubject } = await import('../../certs/revocation.ts');
  const spiffeId = revocationSubject(operator.trustDomain, subject);
  if (spiffeId === undefined) {
    const wanted = 'node/NAME, workload/ns/NAMESPACE/sa/ACCOUNT or operator/NAME';
    throw new AgentError('WEFT_AGENT_REVOKE_SUBJECT', `${subject}: not one of ${wanted}`);
  }
  if (spiffeId === operator.spiffeId) {
    const subjectText = `${subject} cannot revoke itself: sign with another operator (weft operator issue makes one)`;
    throw new AgentError('WEFT_AGENT_REVOKE_SUBJECT', subjectText);
  }
  return spiffeId;
}

/** Before anything is signed anew. The agents check it too; here it can be said what is missing. */
async function checkScope({ name, scope }: OperatorIdentity, key: DocumentKey): Promise<void> {
  const { scopeCovers } = await import('../../certs/scope.ts');
  if (scopeCovers(scope, key.kind, key.namespace)) return;
  const subject = `operator ${name} may write ${scope.join(', ')}; revoking takes ${key.kind}/${key.namespace}`;
  throw new AgentError('WEFT_AGENT_DOCUMENT_REFUSED', subject);
}

async function revocation(
  { subject, reason }: Revoked,
  nowMs: number,
): Promise<{ readonly key: DocumentKey; readonly resource: Resource }> {
  const { revocationName } = await import('../../certs/revocation.ts');
  const { revocationKind } = await import('../documents/revocation.ts');
  const { REVOCATION_NAMESPACE: namespace } = await import('../../gossip/documents/revocation.ts');
  const [kind] = subject.split('/');
  const lifeMs = kind === 'node' || kind === 'workload' ? LONGEST_LIFE_MS[kind] : undefined;
  const name = revocationName(subject);
  const resource: Resource = {
    apiVersion: 'weft.dev/v1alpha1',
    kind: revocationKind.kind,
    metadata: { name, namespace },
    spec: {
      subject,
      before: new Date(nowMs).toISOString(),
      ...(reason === undefined ? {} : { reason }),
      ...(lifeMs === undefined ? {} : { expires: new Date(nowMs + lifeMs).toISOString() }),
    },
  };
  const compiled = revocationKind.compile(resource);
  if (!compiled.ok) throw new AgentError('WEFT_AGENT_REVOKE_SUBJECT', `${subject}: ${compiled.problem}`);
  return { key: { kind: revocationKind.kind, namespace, name }, resource };
}

async function publish(
  key: DocumentKey,
  resource: Resource,
  options: { readonly place: AgentPlace; readonly operator: OperatorIdentity; readonly nowMs: number },
): Promise<string> {
  const { baseOf, currentOf, writeChange } = await import('./document-writer.ts');
  const { encodeResource } = await import('../documents/resource.ts');
  const current = await currentOf(options.place, key);
  const change = { key, where: key.name, base: baseOf(current), body: encodeResource(resource) };
  return (await writeChange(change, { ...options, isDryRun: false })).revision;
}

/** What the operator wrote and is in force, deletions too, goes on being in force under another name. */
async function signAnew(
  author: string,
  { options, place, operator, io }: { options: Revoked; place: AgentPlace; operator: OperatorIdentity; io: CliIo },
): Promise<void> {
  const { heldDocuments, isAgainst, signAnew: writeAnew } = await import('./sign-anew.ts');
  const { describeKey } = await import('../../gossip/documents/revision.ts');
  const { distrustSince, dryRun: isDryRun = false } = options;
  const sinceMs = distrustSince === undefined ? Number.POSITIVE_INFINITY : Date.parse(distrustSince);
  if (Number.isNaN(sinceMs)) {
    throw new AgentError('WEFT_AGENT_REVOKE_SUBJECT', `--distrust-since ${distrustSince}: not an instant`);
  }
  for (const [head] of await heldDocuments(place, operator.trustDomain)) {
    if (head?.revision.author !== author || isAgainst(operator, head)) continue;
    const { hlc } = head.revision;
    const said = `${describeKey(head.revision)}, of ${new Date(hlc.ms).toISOString()}`;
    if (hlc.ms >= sinceMs) {
      io.stdout.write(`${said}: not signed anew\n`);
      continue;
    }
    await writeAnew(head, { place, operator, nowMs: io.nowMs(), isDryRun });
    io.stdout.write(`${said}: ${isDryRun ? 'would be signed' : 'signed'} anew by ${operator.name}\n`);
  }
}

/** Waits until all that are there have it in use, as `weft status REVISION` would show. */
async function acknowledged(place: AgentPlace, revision: string, io: CliIo): Promise<ExitCode> {
  const { call } = await import('./client.ts');
  const { summary } = await import('./document-views.ts');
  const path = `/v1/documents/status?revision=${revision}`;
  const untilMs = io.nowMs() + PATIENCE_MS;
  for (;;) {
    const [status] = await call<readonly RevisionStatusView[]>(place, { method: 'GET', path });
    const isDone = status !== undefined && status.applied === status.of;
    if (status !== undefined && (isDone || status.rejected > 0 || io.nowMs() > untilMs)) {
      io.stdout.write(`${summary(status)}\n`);
      if (!isDone) io.stderr.write(`not yet in use everywhere; weft status ${revision.slice(0, 12)} shows where\n`);
      return isDone ? EXIT.ok : EXIT.failed;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS)); // the pause between two looks
  }
}
