/** Roots of real agents: nobody but a root decides about them, and who was away can follow. */
import { copyFileSync, cpSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../../agent/cli/cli.ts';
import { baseOf, currentOf, writeChange } from '../../agent/cli/document-writer.ts';
import { encodeResource } from '../../agent/documents/resource.ts';
import { TRUST_BUNDLE_KEY } from '../../agent/documents/trust-bundle.ts';
import type { RevisionStatusView } from '../../agent/documents/views.ts';
import type { LabNode } from '../../agent/lab/lab.ts';
import { type LabAgent, MeshLab } from '../../agent/lab/mesh-lab.ts';
import { labObstacle } from '../../agent/lab/support.ts';
import { RootRotationDesk } from '../../agent/rotation/rotate-root.ts';
import type { TrustView } from '../../agent/rotation/views.ts';
import { loadIssuer } from '../../certs/issuer.ts';
import { verifyIssuer } from '../../certs/issuer-chain.ts';
import { loadNodeBundle } from '../../certs/node-bundle.ts';
import { loadOperatorBundle } from '../../certs/operator-bundle.ts';
import { type RootsStatement, signRoots } from '../../certs/root-rotation.ts';
import { readRotation, rotationToJson } from '../../certs/root-rotation-files.ts';
import { makeRoot } from '../../certs/trust-domain.ts';

const obstacle = await labObstacle();
const skipped = obstacle === undefined ? '' : ` (skipped: ${obstacle})`;

describe.skipIf(obstacle !== undefined)(`the root of a mesh without issuers${skipped}`, () => {
  let mesh: MeshLab;
  let agents: [LabAgent, LabAgent];
  /** What everybody trusts at first, and what the rotation to come adds. */
  let roots: readonly string[];
  const config = { workers: 1, capture: { mode: 'none' } };
  const quick = ['--wait', '1s'];

  beforeAll(async () => {
    mesh = await MeshLab.create({ name: 'roots', nodes: 2 });
    agents = (await mesh.startAgents(config)) as typeof agents;
    await untilBoth();
    roots = await trusted(agents[0]);
  }, 60_000);
  afterAll(() => mesh?.close());

  const place = (agent: LabAgent) => ({ kind: 'socket', path: join(agent.home, 'agent.sock') }) as const;
  const domain = (): string => join(mesh.directory, 'trust');

  async function untilBoth(): Promise<void> {
    const isWhole = (agent: LabAgent) => async () => (await agent.alive()).join() === 'n1,n2';
    await Promise.all(agents.map((agent) => agent.until('both nodes', isWhole(agent))));
  }

  async function trusted(agent: LabAgent): Promise<string[]> {
    return (await agent.read<TrustView>('/v1/trust'))!.roots.map(({ fingerprint }) => fingerprint);
  }

  async function weft(agent: LabAgent, ...argv: readonly string[]): Promise<{ code: number; said: string }> {
    let said = '';
    const write = (text: string): void => {
      said += text;
    };
    const code = await runCli([...argv, '-s', place(agent).path], {
      stdout: { write },
      stderr: { write },
      env: { WEFT_OPERATOR: domain() },
      signal: new AbortController().signal,
      nowMs: Date.now,
    });
    return { code, said };
  }

  const rotate = (step: string, ...more: readonly string[]) =>
    weft(agents[0], 'cert', 'rotate-root', step, '--trust', domain(), ...more);

  /** What any operator with the scope can do: publish whatever it likes. @returns how both nodes fare with it */
  async function publish(statements: readonly RootsStatement[]): Promise<RevisionStatusView> {
    const spec = { ...rotationToJson({ statements, issuers: [] }) };
    const { kind, namespace, name } = TRUST_BUNDLE_KEY;
    const body = encodeResource({ apiVersion: 'weft.dev/v1alpha1', kind, metadata: { name, namespace }, spec });
    const operator = loadOperatorBundle(domain());
    const base = baseOf(await currentOf(place(agents[0]), TRUST_BUNDLE_KEY));
    const options = { place: place(agents[0]), operator, nowMs: Date.now(), isDryRun: false };
    const { revision } = await writeChange({ key: TRUST_BUNDLE_KEY, where: 'here', base, body }, options);
    let status: RevisionStatusView | undefined;
    await agents[0].until('a word of both', async () => {
      [status] = (await agents[0].read<RevisionStatusView[]>(`/v1/documents/status?revision=${revision}`)) ?? [];
      return status?.nodes.every(({ why }) => !why.startsWith('has not said') && why !== 'not looked at yet') === true;
    });
    return status!;
  }

  const reasons = ({ nodes }: RevisionStatusView): string[] =>
    nodes.map(({ state, why }) => `${state} ${/(\S+): (?:statement|a root|it)/.exec(why)?.[1] ?? why}`);

  test('is not added by an operator, by a root of somebody else, or by one of another trust domain', async () => {
    const options = { name: 'Weft root', ttlMs: 3_600_000, nowMs: Date.now() };
    const [own, foreign] = [makeRoot('lab.example', options), makeRoot('other.example', options)];
    const trustDomain = 'lab.example';
    const bare = signRoots({ trustDomain, sequence: 1, roots: [own.certificate] }, []);
    expect(reasons(await publish([bare]))).toEqual(['rejected unsigned', 'rejected unsigned']);
    const stranger = signRoots({ trustDomain, sequence: 1, roots: [own.certificate] }, [own]);
    expect(reasons(await publish([stranger]))).toEqual(['rejected unsigned', 'rejected unsigned']);
    const other = signRoots({ trustDomain: 'other.example', sequence: 1, roots: [foreign.certificate] }, [foreign]);
    expect(reasons(await publish([other]))).toEqual(['rejected wrong-trust-domain', 'rejected wrong-trust-domain']);
    for (const agent of agents) expect(await trusted(agent)).toEqual(roots);
  });

  test('cannot be retired, or an attempt given up, when none is under way', async () => {
    expect(await rotate('finish')).toMatchObject({
      code: 4,
      said: expect.stringContaining('no rotation is under way'),
    });
    expect(await rotate('abort')).toMatchObject({ code: 4, said: expect.stringContaining('no rotation is under way') });
  });

  test('stays while a node is missing, which is named, and beginning again goes on with the same new root', async () => {
    await agents[1].kill();
    await agents[0].until('a dead n2', async () => (await agents[0].alive()).join() === 'n1');
    const begun = await rotate('begin', ...quick);
    expect(begun.code).toBe(1);
    expect(begun.said).toMatch(/all trust both roots, but not\n {2}n2: it is dead/);
    expect(await rotate('finish', ...quick)).toMatchObject({
      code: 4,
      said: expect.stringContaining('not all is moved'),
    });
    const both = await trusted(agents[0]);
    expect(both.length).toBe(2);
    expect((await weft(agents[0], 'check')).said).toMatch(/roots .*a rotation of the root is under way/);

    agents[1] = await mesh.startAgent(mesh.lab.node(2), config);
    await untilBoth();
    const again = await rotate('begin');
    expect(again).toMatchObject({ code: 0, said: expect.stringContaining('going on') });
    expect(await trusted(agents[1])).toEqual(both);
    const status = async () => {
      const { said } = await weft(agents[1], 'cert', 'rotate-root', 'status', '-o', 'json');
      return JSON.parse(said) as {
        isUnderWay: boolean;
        nodes: { node: string; leadsTo: string; follows: string }[];
      };
    };
    // What n1 says of it reaches n2, which was away, a little later than the roots do.
    await agents[1].until('the word of both', async () =>
      (await status()).nodes.every(({ follows }) => follows === 'applied'),
    );
    const { isUnderWay, nodes } = await status();
    expect(isUnderWay).toBe(true);
    expect(nodes.map(({ node, leadsTo }) => [node, leadsTo])).toEqual(['n1', 'n2'].map((node) => [node, both[1]]));
  }, 60_000);

  test('is the only one again after an abort, and nobody lost touch', async () => {
    expect(await rotate('abort')).toMatchObject({ code: 0 });
    for (const agent of agents) {
      expect(await trusted(agent)).toEqual(roots);
      const { members } = (await agent.read<TrustView>('/v1/trust'))!;
      expect(members.map(({ state, root }) => [state, root])).toEqual(members.map(() => ['alive', roots[0]]));
    }
    expect(existsSync(join(domain(), 'root.next.key'))).toBe(false);
  }, 60_000);

  test('is retired for good: documents stay in force after restarts, and no older statement brings it back', async () => {
    const file = join(mesh.directory, 'mesh.yaml');
    writeFileSync(
      file,
      'apiVersion: weft.dev/v1alpha1\nkind: MeshConfig\nmetadata: {name: default}\nspec: {displayName: the lab}\n',
    );
    expect(await weft(agents[0], 'apply', '-f', file)).toMatchObject({ code: 0 });
    expect(await rotate('begin')).toMatchObject({ code: 0 });
    const begun = readRotation(domain())!.statements;
    const finished = await rotate('finish');
    expect(finished).toMatchObject({
      code: 0,
      said: expect.stringContaining('MeshConfig default: signed anew by admin'),
    });
    const now = await trusted(agents[0]);
    expect([now.length, now[0] === roots[0]]).toEqual([1, false]);

    expect(reasons(await publish(begun))).toEqual(['rejected replayed', 'rejected replayed']);
    await Promise.all(agents.map((agent) => agent.close()));
    agents = (await mesh.startAgents(config)) as typeof agents;
    await untilBoth();
    for (const agent of agents) {
      expect(await trusted(agent)).toEqual(now);
      await agent.until('its documents', async () => (await agent.status())?.mesh?.displayName === 'the lab');
    }
    expect(reasons(await publish(begun))).toEqual(['rejected replayed', 'rejected replayed']);
    mesh.issue('n2'); // a new bundle has what the others have
    expect(readRotation(join(agents[1].home, 'bundle'))!.statements.at(-1)!.sequence).toBe(begun.at(-1)!.sequence + 1);
  }, 60_000);

  test('that a node missed is followed from a file that anybody may hand to it', async () => {
    await agents[1].close();
    await agents[0].until('n2 away', async () => (await agents[0].alive()).join() === 'n1');
    expect(await rotate('begin', '--without', 'n2')).toMatchObject({ code: 0 });
    expect(await rotate('finish', '--without', 'n2')).toMatchObject({ code: 0 });
    const now = await trusted(agents[0]);

    agents[1] = await mesh.startAgent(mesh.lab.node(2), config);
    const check = (): Promise<{ said: string }> => weft(agents[1], 'check');
    await agents[1].until('advice', async () => /roots .*no root that this node trusts/.test((await check()).said));
    expect((await check()).said).toContain('copy rotation.json');
    copyFileSync(join(domain(), 'rotation.json'), join(agents[1].home, 'bundle', 'rotation.json'));
    await untilBoth();
    expect(await trusted(agents[1])).toEqual(now);
    expect((await agents[1].read<TrustView>('/v1/trust'))!.members.map(({ root }) => root)).toEqual([now[0], now[0]]);
  }, 60_000);
});

describe.skipIf(obstacle !== undefined)(`a root whose issuer's key was stolen${skipped}`, () => {
  test('is replaced with a new issuer, and the stolen key is worth nothing after', async () => {
    await using mesh = await MeshLab.create({ name: 'stolen', nodes: 2 });
    const domain = join(mesh.directory, 'trust');
    const stolen = join(mesh.directory, 'stolen');
    cpSync(domain, stolen, { recursive: true });
    const [n1, n2] = mesh.lab.nodes as [LabNode, LabNode];
    const config = { workers: 1, capture: { mode: 'none' } };
    const certs = { bundleDirectory: 'bundle', issuerDirectory: '../trust', join: { listen: '' } };
    const agents = await Promise.all([mesh.startAgent(n1, { ...config, certs }), mesh.startAgent(n2, config)]);
    for (const agent of agents) await agent.until('both', async () => (await agent.alive()).join() === 'n1,n2');
    const options = {
      place: { kind: 'socket', path: join(agents[0]!.home, 'agent.sock') },
      trustDirectory: domain,
      operatorDirectory: domain,
      isNewIssuer: true,
      without: [],
      patienceMs: 30_000,
      io: {
        stdout: { write: () => {} },
        stderr: { write: () => {} },
        env: {},
        signal: new AbortController().signal,
        nowMs: Date.now,
      },
    } as const;
    await new RootRotationDesk(options).begin();
    await new RootRotationDesk(options).finish();
    for (const agent of agents) expect((await agent.alive()).join()).toBe('n1,n2');
    const { chain, trust } = loadNodeBundle(join(agents[1]!.home, 'bundle'));
    const issuers = [domain, stolen].map((directory) => loadIssuer(directory).certificate);
    expect(issuers.map((issuer) => issuer.publicKey.equals(chain[1]!.publicKey))).toEqual([true, false]);
    const nowMs = Date.now();
    expect(issuers.map((issuer) => verifyIssuer(issuer, { trust, nowMs })?.reason)).toEqual([
      undefined,
      'untrusted-root',
    ]);
  }, 60_000);
});
