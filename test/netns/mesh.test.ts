/** Two nodes, real agents, real pods, unmodified programs: what the mesh promises, end to end. */
import { createHash } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readWire } from '../../agent/demo/wire.ts';
import type { LabNode, LabPod } from '../../agent/lab/lab.ts';
import { HTTP_PORTS, type LabAgent, MeshLab, RESOLV_CONF, runsIn, weft } from '../../agent/lab/mesh-lab.ts';
import { labObstacle } from '../../agent/lab/support.ts';
import { HBONE, TUNNEL_LABEL } from '../../proxy/snapshot.ts';

const obstacle = await labObstacle();
const [HTTP_APP, GREETER, DIALOGUE] = ['http-app', 'greeter', 'dialogue'].map((name) =>
  join(import.meta.dirname, 'programs', `${name}.ts`),
) as [string, string, string];
const GIB = 2 ** 30;
/** A user that nobody else is. */
const HOST_UID = 61_234;

describe.skipIf(obstacle !== undefined)(
  `a mesh of two nodes${obstacle === undefined ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let mesh: MeshLab;
    let n1: LabNode;
    let n2: LabNode;
    let agents: LabAgent[];
    let client: LabPod;
    let server: LabPod;
    let far: LabPod;

    beforeAll(async () => {
      mesh = await MeshLab.create({ name: 'mesh', nodes: 2 });
      n1 = mesh.lab.node(1);
      n2 = mesh.lab.node(2);
      client = await mesh.addPod(n1, { name: 'client' });
      server = await mesh.addPod(n2, {
        name: 'web',
        ports: HTTP_PORTS,
      });
      const greeter = await mesh.addPod(n2, { name: 'greeter', ports: [{ name: 'smtp', port: 2525 }] });
      far = await mesh.addPod(n2, {
        name: 'far',
        labels: { [TUNNEL_LABEL]: HBONE },
        ports: [
          { name: 'http', port: 8080, servicePort: 80, appProtocol: 'http' },
          { name: 'smtp', port: 2525 },
        ],
      });
      await mesh.serve(far, HTTP_APP, 8080, 'far');
      await mesh.serve(far, GREETER, 2525);
      await mesh.serve(server, HTTP_APP, 8080, 'web');
      await mesh.serve(greeter, GREETER, 2525);
      agents = await mesh.startAgents();
      await mesh.untilRouted(agents, ['far', 'greeter', 'web']);
    });
    afterAll(() => mesh?.close());

    test('curl in a pod reaches a service on the other node by its name', async () => {
      const { code, body } = await mesh.curl(client, 'http://web.shop.weft/who');
      expect(code).toBe(0);
      expect(JSON.parse(body)).toMatchObject({ name: 'web' });
    });

    test('the name resolves to a virtual address, in IPv6 as well, and an unknown one to none', async () => {
      const v4 = await mesh.lab.exec(client.namespace, ['getent', 'ahostsv4', 'web.shop.weft'], {
        resolvConf: RESOLV_CONF,
      });
      const v6 = await mesh.lab.exec(client.namespace, ['getent', 'ahostsv6', 'web.shop.weft'], {
        resolvConf: RESOLV_CONF,
      });
      expect(v4.stdout).toMatch(/^240\.240\.\d+\.\d+ /);
      expect(v6.stdout).toMatch(/^fd57:6566:7400::/);
      expect((await mesh.curl(client, 'http://nobody.shop.weft/')).stderr).toContain('Could not resolve host');
    });

    test('over IPv6 it is the same service', async () => {
      const { code, body } = await mesh.curl(client, '-6', 'http://web.shop.weft/who');
      expect([code, JSON.parse(body).name]).toEqual([0, 'web']);
    });

    test('dialling the address of an endpoint is carried by the mesh too', async () => {
      const { code, body } = await mesh.curl(client, `http://${server.address4}:8080/who`);
      expect([code, JSON.parse(body).name]).toEqual([0, 'web']);
    });

    test('between the nodes there is TLS and nowhere the text of a request', async () => {
      const wire = await mesh.lab.capture(mesh.lab.fabric, { interface: 'br0', filter: 'tcp' });
      const secret = 'a-word-that-must-not-be-seen';
      const { code } = await mesh.curl(client, '-H', `x-secret: ${secret}`, `http://web.shop.weft/${secret}`);
      expect(code).toBe(0);
      const seen = readWire(await wire!.stop(), 15_008, [secret, 'HTTP/1.1']);
      expect(seen.tlsRecords).toBeGreaterThan(0);
      expect(seen.wordsSeen).toEqual([]);
    });

    test('plaintext from outside the mesh is refused, and the refusal is counted', async () => {
      const before = await counter(agents[1]!, 'plaintext_refused');
      const { code } = await mesh.curl(n1, `http://${server.address4}:8080/who`);
      expect(code).not.toBe(0);
      expect(await counter(agents[1]!, 'plaintext_refused')).toBeGreaterThan(before);
    });

    test('a protocol in which the server speaks first works undeclared, half-close included', async () => {
      const talk = await mesh.ask<{ received: string; error?: string }>(
        client,
        DIALOGUE,
        'greeter.shop.weft',
        2525,
        'ready',
        'hello\\r\\n',
      );
      expect(talk).toMatchObject({ received: '220 greeter ready\r\nhello\r\n221 got 7 bytes\r\n' });
    });

    test('an endpoint that is labelled for HBONE is reached by CONNECTs: requests, and bytes whose server speaks first', async () => {
      const wire = await mesh.lab.capture(mesh.lab.fabric, {
        interface: 'br0',
        filter: `tcp and host ${far.address4}`,
      });
      const { code, body } = await mesh.curl(client, 'http://far.shop.weft/who');
      expect([code, JSON.parse(body).name]).toEqual([0, 'far']);
      const upload = await mesh.curl(client, '--data-binary', 'x'.repeat(100_000), 'http://far.shop.weft/upload');
      expect(JSON.parse(upload.body)).toMatchObject({ bytes: 100_000 });
      const talk = await mesh.ask<{ received: string }>(
        client,
        DIALOGUE,
        'far.shop.weft',
        2525,
        'ready',
        'hello\\r\\n',
      );
      expect(talk).toMatchObject({ received: '220 greeter ready\r\nhello\r\n221 got 7 bytes\r\n' });
      const [h2, weft1] = ['\u0002h2', 'weft/1']; // as a ClientHello offers them
      const seen = readWire(await wire!.stop(), 15_008, [h2, weft1, 'HTTP/1.1', 'CONNECT', 'greeter']);
      expect(seen.wordsSeen).toEqual([h2]);
    });

    test('an upgraded connection passes in both directions', async () => {
      const request =
        'GET /echo HTTP/1.1\\r\\nHost: web\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\nping-pong';
      const talk = await mesh.ask<{ received: string }>(client, DIALOGUE, 'web.shop.weft', 80, '-', request);
      expect(talk.received).toMatch(/^HTTP\/1\.1 101 /);
      expect(talk.received).toMatch(/ping-pong$/);
    });

    test('what is not in the mesh is reached as before', async () => {
      await mesh.serve(n2, HTTP_APP, 9_090, 'outsider');
      const { code, body } = await mesh.curl(client, `http://${n2.address4}:9090/who`);
      expect([code, JSON.parse(body).name]).toEqual([0, 'outsider']);
    });

    test('an upload arrives whole', async () => {
      const payload = Buffer.alloc(3_000_001, 'weft');
      const file = join(mesh.directory, 'payload');
      writeFileSync(file, payload);
      const { body } = await mesh.curl(client, '--data-binary', `@${file}`, 'http://web.shop.weft/upload');
      expect(JSON.parse(body)).toEqual({
        bytes: payload.length,
        sha256: createHash('sha256').update(payload).digest('hex'),
      });
    });

    test('a body of 1 GiB passes both agents without their memory growing by 64 MB', async () => {
      const rss = { before: agents.map((agent) => agent.rssBytes()), peak: agents.map(() => 0) };
      const watch = setInterval(() => {
        rss.peak = agents.map((agent, i) => Math.max(rss.peak[i]!, agent.rssBytes()));
      }, 50);
      const argv = [
        'curl',
        '--silent',
        '--output',
        '/dev/null',
        '--write-out',
        '%{size_download}',
        `http://web.shop.weft/download?bytes=${GIB}`,
      ];
      const { stdout } = await mesh.lab.exec(client.namespace, argv, {
        resolvConf: RESOLV_CONF,
        timeoutMs: 60_000,
      });
      clearInterval(watch);
      expect(Number(stdout)).toBe(GIB);
      for (const [i, before] of rss.before.entries()) expect(rss.peak[i]! - before).toBeLessThan(64e6);
    }, 90_000);

    test('bytes that make no sense on any port are refused, and the agents go on', async () => {
      const garbage = '\\u0000\\u0001garbage\\u00ff\\r\\n\\r\\n';
      for (const port of [15_001, 15_006, 15_008, 15_053]) {
        await mesh.ask(client, DIALOGUE, '127.0.0.1', port, '-', garbage);
        await mesh.ask(n1, DIALOGUE, server.address4, port, '-', garbage);
      }
      await mesh.ask(n1, DIALOGUE, n2.address4, 7_946, '-', garbage);
      expect((await mesh.curl(client, 'http://web.shop.weft/who')).code).toBe(0);
      expect(agents.every((agent) => agent.isRunning)).toBe(true);
    });

    test('a process of the host is a workload too: known by its user as a caller, by its port as a server', async () => {
      const ports = [{ name: 'http', port: 9_095, appProtocol: 'http' }];
      const runs = { host: { uid: HOST_UID } };
      await mesh.serve(n2, HTTP_APP, 9_095, 'onhost');
      mesh.writeWorkload(n2, { name: 'onhost', ports, spec: { runs, address: n2.address4 } });
      await mesh.untilRouted(agents, ['far', 'greeter', 'onhost', 'web']);
      const called = await mesh.curl(client, 'http://onhost.shop.weft:9095/who');
      expect([called.code, JSON.parse(called.body).name]).toEqual([0, 'onhost']);
      expect((await mesh.curl(n1, `http://${n2.address4}:9095/who`)).code).not.toBe(0); // STRICT there as well
      const options = { resolvConf: RESOLV_CONF, uid: HOST_UID };
      const calling = await mesh.lab.exec(n2.namespace, ['curl', '-sS', 'http://web.shop.weft/who'], options);
      expect([calling.stderr, JSON.parse(calling.stdout).name]).toEqual(['', 'web']);
      rmSync(mesh.workloadFile(n2, 'onhost'));
      await mesh.untilRouted(agents, ['far', 'greeter', 'web']);
    });

    test('a workload file that does not parse is reported, and what ran before keeps running', async () => {
      writeFileSync(
        mesh.workloadFile(n2, 'web'),
        'apiVersion: weft.dev/v1alpha1\nkind: Workload\nmetadata: { name: web }\nspec: { ports: 80 }\n',
      );
      const problems = async () => (await agents[1]!.workloads())!.problems;
      await agents[1]!.until('a problem', async () => (await problems()).length > 0);
      const fields = (await problems()).map(({ field }) => field);
      expect(fields).toContain('spec.ports');
      expect((await mesh.curl(client, 'http://web.shop.weft/who')).code).toBe(0);
      mesh.writeWorkload(n2, {
        spec: runsIn(server),
        name: 'web',
        ports: HTTP_PORTS,
      });
      await agents[1]!.until('no problem', async () => (await problems()).length === 0);
    });

    test('a workload whose file goes leaves the mesh, and nothing of capture stays in its namespace', async () => {
      const extra = await mesh.addPod(n1, {
        name: 'extra',
        ports: [{ name: 'http', port: 8080, appProtocol: 'http' }],
      });
      await mesh.serve(extra, HTTP_APP, 8080, 'extra');
      await mesh.untilRouted(agents, ['extra', 'far', 'greeter', 'web']);
      rmSync(mesh.workloadFile(n1, 'extra'));
      await mesh.untilRouted(agents, ['far', 'greeter', 'web']);
      const rules = async () => (await mesh.lab.exec(extra.namespace, ['nft', 'list', 'ruleset'])).stdout;
      await agents[0]!.until('the end of its draining', async () => (await rules()) === '');
      expect((await mesh.curl(n1, `http://${extra.address4}:8080/who`)).code).toBe(0);
    });
  },
);

describe.skipIf(obstacle !== undefined)('a mesh that loses agents', () => {
  let mesh: MeshLab;
  let agents: LabAgent[];
  let client: LabPod;
  let pods: LabPod[];
  let replacement: LabPod;

  beforeAll(async () => {
    mesh = await MeshLab.create({ name: 'loss', nodes: 3 });
    client = await mesh.addPod(mesh.lab.node(1), { name: 'client' });
    pods = [];
    for (const index of [2, 3]) {
      const name = `web-${index}`;
      const pod = await mesh.addPod(mesh.lab.node(index), {
        name,
        service: 'web',
        ports: [{ name: 'http', port: 8080, appProtocol: 'http' }],
      });
      await mesh.serve(pod, HTTP_APP, 8080, name);
      pods.push(pod);
    }
    agents = await mesh.startAgents();
    await mesh.untilRouted(agents, ['web-2', 'web-3']);
  });
  afterAll(() => mesh?.close());

  test('both endpoints of a service get requests', async () => {
    expect(await shareAnswers(mesh, client)).toEqual(['web-2', 'web-3']);
  });

  test('an agent killed with -9 costs no request: what cannot connect to it goes to the other', async () => {
    await agents[2]!.kill();
    expect([...(await answers(mesh, client, 20))]).toEqual(['web-2']);
  });

  test('it is noticed by all, and its endpoints are used no more', async () => {
    await mesh.untilRouted(agents.slice(0, 2), ['web-2']);
    const connects = await counter(agents[0]!, 'upstream_connect_failures');
    expect([...(await answers(mesh, client, 10))]).toEqual(['web-2']);
    expect(await counter(agents[0]!, 'upstream_connect_failures')).toBe(connects);
  });

  test('its pods stay closed meanwhile: nothing enters or leaves them in plaintext', async () => {
    expect((await mesh.curl(mesh.lab.node(1), `http://${pods[1]!.address4}:8080/who`)).code).not.toBe(0);
    expect((await mesh.curl(pods[1]!, `http://${client.address4}:1/`)).code).not.toBe(0);
  });

  test('started again it takes its pods back, and leaves no rule of the former run behind', async () => {
    rmSync(mesh.workloadFile(mesh.lab.node(3), 'web-3'));
    replacement = await mesh.addPod(mesh.lab.node(3), {
      name: 'web-4',
      service: 'web',
      ports: [{ name: 'http', port: 8080, appProtocol: 'http' }],
    });
    await mesh.serve(replacement, HTTP_APP, 8080, 'web-4');
    agents[2] = await mesh.startAgent(mesh.lab.node(3));
    await mesh.untilRouted(agents, ['web-2', 'web-4']);
    expect((await mesh.lab.exec(pods[1]!.namespace, ['nft', 'list', 'ruleset'])).stdout).toBe('');
    expect(await shareAnswers(mesh, client)).toEqual(['web-2', 'web-4']);
  });

  test('an agent that is asked to stop says goodbye, and takes its rules with it', async () => {
    const code = await agents[2]!.close();
    expect(code).toBe(0);
    await agents[0]!.until('a farewell', async () =>
      (await agents[0]!.members()).some(({ name, state }) => name === 'n3' && state === 'left'),
    );
    await mesh.untilRouted(agents.slice(0, 2), ['web-2']);
    const rules = await mesh.lab.exec(replacement.namespace, ['nft', 'list', 'ruleset']);
    expect(rules.stdout).toBe('');
  });

  test('what a killed agent left behind can be cleaned away by hand, but not from under one that runs', async () => {
    const clean = (agent: LabAgent) =>
      mesh.lab.exec(agent.node.namespace, weft('capture', 'clean', '-c', join(agent.home, 'agent.yaml')));
    await agents[1]!.kill();
    const refused = await clean(agents[0]!);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('the rules are its own')]);
    const done = await clean(agents[1]!);
    expect([done.code, done.stdout]).toEqual([0, expect.stringContaining(pods[0]!.namespacePath)]);
    expect((await mesh.curl(mesh.lab.node(1), `http://${pods[0]!.address4}:8080/who`)).code).toBe(0);
  });
});

describe.skipIf(obstacle !== undefined)('a stranger', () => {
  test('whose certificate has another root stays out, and is counted', async () => {
    await using mesh = await MeshLab.create({ name: 'rogue', nodes: 3 });
    mesh.createTrust('rogue-trust');
    const rogueNode = mesh.lab.node(3);
    rmSync(join(mesh.directory, rogueNode.name, 'bundle'), { recursive: true });
    mesh.issue(rogueNode.name, { trust: 'rogue-trust' });
    const pod = await mesh.addPod(rogueNode, {
      name: 'rogue',
      ports: [{ name: 'http', port: 80, appProtocol: 'http' }],
    });
    await mesh.serve(pod, HTTP_APP, 80, 'rogue');
    const honest = await Promise.all([1, 2].map((index) => mesh.startAgent(mesh.lab.node(index))));
    const rogue = await mesh.startAgent(rogueNode);
    await honest[0]!.until('two members', async () => (await honest[0]!.alive()).length === 2);
    await honest[0]!.until('a refusal', async () => (await counter(honest[0]!, 'refused')) > 0);
    expect(await honest[0]!.alive()).toEqual(['n1', 'n2']);
    expect(await rogue.alive()).toEqual(['n3']);
    expect(await honest[0]!.ready()).toEqual([]);
  });
});

/** Who answered `count` requests, each on a connection of its own. */
async function answers(mesh: MeshLab, client: LabPod, count: number): Promise<Set<string>> {
  const urls = Array.from({ length: count }, () => 'http://web.shop.weft:8080/who');
  const { code, body, stderr } = await mesh.curl(client, '--no-keepalive', '-H', 'connection: close', ...urls);
  expect([code, stderr]).toEqual([0, '']);
  return new Set([...body.matchAll(/"name":"([^"]+)"/g)].map((match) => match[1]!));
}

/** Who answered until two had: one that was slow once is spared for seconds. */
async function shareAnswers(mesh: MeshLab, client: LabPod): Promise<string[]> {
  const names = new Set<string>();
  while (names.size < 2) for (const name of await answers(mesh, client, 20)) names.add(name);
  return [...names].sort();
}

/** The sum of an agent's metrics whose name contains `part`. */
async function counter(agent: LabAgent, part: string): Promise<number> {
  const lines = (await agent.metrics()).split('\n').filter((line) => !line.startsWith('#') && line.includes(part));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
