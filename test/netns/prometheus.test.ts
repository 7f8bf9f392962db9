/** A Prometheus of Debian scrapes two live agents: what both ends count of the same traffic, asked through its API. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { LabNode, LabPod } from '../../agent/lab/lab.ts';
import { type LabAgent, MeshLab } from '../../agent/lab/mesh-lab.ts';
import { labObstacle } from '../../agent/lab/support.ts';

const obstacle = (await labObstacle()) ?? missingProgram();
const [STATUS_APP, MANY_REQUESTS] = ['status-app', 'many-requests'].map((name) =>
  join(import.meta.dirname, 'programs', `${name}.ts`),
) as [string, string];
const REQUESTS = 4_000;

function missingProgram(): string | undefined {
  const missing = ['prometheus', 'promtool'].filter((name) => spawnSync(name, ['--version']).status !== 0);
  return missing.length === 0 ? undefined : `no ${missing.join(', no ')}`;
}

describe.skipIf(obstacle !== undefined)(
  `Prometheus asks two agents${obstacle === undefined ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let mesh: MeshLab;
    let n1: LabNode;
    let agents: LabAgent[];
    let client: LabPod;
    let told: Readonly<Record<string, number>>;

    beforeAll(async () => {
      mesh = await MeshLab.create({ name: 'prom', nodes: 2 });
      n1 = mesh.lab.node(1);
      const n2 = mesh.lab.node(2);
      client = await mesh.addPod(n1, { name: 'client' });
      const port = { name: 'http', port: 8080, servicePort: 80, appProtocol: 'http' };
      const server = await mesh.addPod(n2, { name: 'ledger', version: 'v2', ports: [port] });
      await mesh.serve(server, STATUS_APP, 8080);
      agents = await mesh.startAgents({ metrics: { listen: '0.0.0.0:15020' } });
      await mesh.untilRouted(agents, ['ledger']);
      startPrometheus();
      const paths = ['/status/200', '/status/200', '/status/503', '/status/404', '/reset'];
      told = await mesh.ask(client, MANY_REQUESTS, 'http://ledger.shop.weft', REQUESTS, ...paths);
    });
    afterAll(() => mesh?.close());

    function startPrometheus(): void {
      const home = join(mesh.directory, 'prometheus');
      const targets = mesh.lab.nodes.map(({ address4 }) => `${address4}:15020`);
      mkdirSync(home);
      writeFileSync(
        join(home, 'prometheus.yml'),
        stringify({
          global: { scrape_interval: '1s', scrape_timeout: '1s' },
          scrape_configs: [{ job_name: 'weft', static_configs: [{ targets }] }],
        }),
      );
      const child = mesh.lab.spawn(n1.namespace, [
        'prometheus',
        `--config.file=${join(home, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(home, 'data')}`,
        '--web.listen-address=127.0.0.1:9090',
      ]);
      child.stdout?.resume();
      child.stderr?.resume();
    }

    /** What an instant query answers: values by the labels that are left. */
    async function query(expression: string): Promise<Map<string, number>> {
      const asked = ['--get', 'http://127.0.0.1:9090/api/v1/query', '--data-urlencode', `query=${expression}`];
      const { stdout } = await mesh.lab.exec(n1.namespace, ['curl', '--silent', ...asked]);
      if (!stdout.startsWith('{')) return new Map(); // it still starts
      const { data } = JSON.parse(stdout) as {
        data: { result: { metric: Record<string, string>; value: [number, string] }[] };
      };
      return new Map(data.result.map(({ metric, value }) => [Object.values(metric).join(' '), Number(value[1])]));
    }

    const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);

    test('source and destination count the same requests, within one in a thousand', async () => {
      expect(sum(Object.values(told))).toBe(REQUESTS);
      const requests = 'sum by (reporter) (istio_requests_total{destination_service="ledger.shop.weft"})';
      await agents[0]!.until('a scrape of all', async () => {
        const counts = await query(requests);
        return counts.get('source') === REQUESTS && (counts.get('destination') ?? 0) >= REQUESTS * 0.999;
      });
      const counts = await query(requests);
      expect(Math.abs(counts.get('source')! - counts.get('destination')!)).toBeLessThanOrEqual(REQUESTS / 1_000);
      const codes = await query('sum by (reporter, response_code) (istio_requests_total)');
      for (const [code, count] of Object.entries(told)) {
        for (const reporter of ['source', 'destination']) {
          const counted = codes.get(`${reporter} ${code}`) ?? codes.get(`${code} ${reporter}`) ?? 0;
          expect([code, reporter, Math.abs(counted - count) <= REQUESTS / 1_000]).toEqual([code, reporter, true]);
        }
      }
    });

    test('a failure names its version, route and reason, and the mesh is told from the application', async () => {
      const routes = await query('sum by (route, version, code, reason) (weft_requests_total{direction="outbound"})');
      const counted = [...routes].map(([labels, count]) => [labels.split(' ').sort().join(' '), count]);
      expect(counted.sort()).toEqual([
        ['/reset/{id} 502 upstream-reset v2', REQUESTS / 5],
        ['/status/200/{id} 200 v2', (REQUESTS * 2) / 5],
        ['/status/404/{id} 404 v2', REQUESTS / 5],
        ['/status/503/{id} 503 v2', REQUESTS / 5],
      ]);
      const flags = await query('sum by (response_flags) (istio_requests_total{reporter="destination"})');
      expect(Object.fromEntries(flags)).toEqual({ '-': (REQUESTS * 4) / 5, UR: REQUESTS / 5 });
    });

    test("Istio's labels say who called whom, and quantiles can be asked", async () => {
      const labels = await query(
        'count by (source_workload, source_workload_namespace, source_principal, destination_principal, destination_version, connection_security_policy) (istio_requests_total{reporter="destination"})',
      );
      const [found = ''] = labels.keys();
      expect(found.split(' ').sort()).toEqual(
        ['client', 'shop', 'mutual_tls', 'v2', ...['client', 'ledger'].map((name) => `spiffe://lab.example/ns/shop/sa/${name}`)].sort(),
      );
      const bucket = 'istio_request_duration_milliseconds_bucket{reporter="source"}';
      const [median = 0] = (await query(`histogram_quantile(0.5, sum by (le) (${bucket}))`)).values();
      expect(median).toBeGreaterThan(0);
      expect(median).toBeLessThan(5_000);
    });

    test('promtool finds nothing, but the unit in a name that Istio gave', async () => {
      for (const agent of agents) {
        const page = await agent.metrics();
        const { stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: page, encoding: 'utf8' });
        const found = `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
        expect(found).toEqual([
          'istio_request_duration_milliseconds use base unit "seconds" instead of "milliseconds"',
        ]);
        const own = page.replaceAll(/^(# (HELP|TYPE) )?istio_.*\n/gm, '');
        expect(execFileSync('promtool', ['check', 'metrics'], { input: own, encoding: 'utf8' })).toBe('');
      }
    });
  },
);
