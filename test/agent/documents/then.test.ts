/** Documents of an earlier moment: what was in force then, whatever became of it since, and what cannot be told of it. */
import { afterAll, expect, test } from 'vitest';
import { Compiler } from '../../../agent/documents/compiler.ts';
import type { DocumentMesh } from '../../../agent/documents/keeper.ts';
import { encodeResource, type Resource } from '../../../agent/documents/resource.ts';
import { DocumentService, type ServiceParts } from '../../../agent/documents/service.ts';
import { documentsThen } from '../../../agent/documents/then.ts';
import type { HistoryItem } from '../../../gossip/documents/query.ts';
import type { Held } from '../../../gossip/documents/revision.ts';

const compiler = new Compiler();
afterAll(() => compiler.close());

interface Written {
  readonly atMs: number;
  readonly number: number;
  /** null: deleted. */
  readonly spec: unknown;
  readonly standing?: HistoryItem['standing'];
}

/** @param written of one document, latest first */
function document(kind: string, namespace: string, name: string, written: readonly Written[]): readonly HistoryItem[] {
  return written.map(({ atMs, number, spec, standing = 'replaced' }, i) => {
    const metadata = namespace === '' ? { name } : { name, namespace };
    const resource = { apiVersion: 'weft.dev/v1alpha1', kind, metadata, spec } as Resource;
    const revision = {
      ...{
        kind,
        namespace,
        name,
        number,
        base: number === 1 ? '' : `${kind}-${name}-${number - 1}`,
        author: 'ops',
        hlc: { ms: atMs, count: 0 },
      },
      body: spec === null ? null : encodeResource(resource),
    };
    const held = { id: `${kind}-${name}-${number}`, revision } as unknown as Held;
    return { held, standing: i === 0 ? 'current' : standing } as HistoryItem;
  });
}

function serviceOf(documents: readonly (readonly HistoryItem[])[]): DocumentService {
  const answer = (query: string, { kind, name }: { kind?: string; name?: string }): unknown => {
    if (query === 'list') return documents.map(([head]) => head!.held);
    return documents.find(([head]) => head!.held.revision.kind === kind && head!.held.revision.name === name);
  };
  const mesh = { documents: async (query: string, ask: never) => answer(query, ask) } as unknown as DocumentMesh;
  return new DocumentService({ mesh, compiler } as unknown as ServiceParts);
}

const then = (service: DocumentService, atMs: number) =>
  documentsThen(service, atMs, { trustDomain: 'shop.example', service: () => undefined });

const allow = (from: string) => ({
  target: { services: ['ledger'] },
  action: 'ALLOW',
  rules: [{ from: [{ identities: [from] }] }],
});
const limit = (requestsPerSecond: number) => ({ target: { services: ['ledger'] }, limits: [{ requestsPerSecond }] });
const POLICY = 'spiffe://shop.example/ns/pay/sa/payments';

test('what was in force then holds: before a change, after a deletion, and never a revision that lost', async () => {
  const service = serviceOf([
    document('MeshConfig', '', 'default', [{ atMs: 300, number: 1, spec: { access: { default: 'deny' } } }]),
    document('AccessPolicy', 'pay', 'ledger', [
      { atMs: 400, number: 3, spec: null },
      { atMs: 250, number: 2, spec: allow(`${POLICY}-lost`), standing: 'superseded' },
      { atMs: 200, number: 2, spec: allow(`${POLICY}-two`) },
      { atMs: 100, number: 1, spec: allow(`${POLICY}-one`) },
    ]),
  ]);
  const at = async (atMs: number) => {
    const { access, lacking } = (await then(service, atMs))!;
    expect(lacking).toEqual([]);
    const { policies, defaultAction } = access.rules;
    return [defaultAction, ...policies.map(({ revision }) => revision)];
  };
  expect(await at(50)).toEqual(['ALLOW']);
  expect(await at(100)).toEqual(['ALLOW', 'AccessPolicy-ledger-1']);
  expect(await at(260)).toEqual(['ALLOW', 'AccessPolicy-ledger-2']);
  expect(await at(300)).toEqual(['DENY', 'AccessPolicy-ledger-2']);
  expect(await at(400)).toEqual(['DENY']);
});

test('a revision that is no longer held, or that does not compile here, is named', async () => {
  const service = serviceOf([
    document('RateLimit', 'pay', 'old', [{ atMs: 300, number: 12, spec: limit(5) }]),
    document('RateLimit', 'pay', 'gap', [
      { atMs: 300, number: 12, spec: limit(5) },
      { atMs: 100, number: 3, spec: limit(5) }, // kept for its author; what came after it is not
    ]),
    document('RateLimit', 'pay', 'bad', [{ atMs: 100, number: 1, spec: { limits: 'none' } }]),
    document('RateLimit', 'pay', 'new', [{ atMs: 300, number: 1, spec: limit(5) }]),
  ]);
  const { lacking, traffic } = (await then(service, 200))!;
  expect(lacking).toHaveLength(3);
  for (const [i, name] of ['old', 'gap'].entries())
    expect(lacking[i]).toBe(`RateLimit pay/${name} was there, but its revision of then is not kept any more`);
  expect(lacking[2]).toMatch(/^RateLimit pay\/bad of then does not compile here: /);
  expect(traffic.limits()).toEqual([]);
});
