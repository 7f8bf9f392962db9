import fc from 'fast-check';
import { expect, test } from 'vitest';
import { namespacePathOf, unitOf, type Workload } from '../../../agent/workloads/workload.ts';
import { parseWorkloadFile } from '../../../agent/workloads/workload-file.ts';
import { workloadYaml } from './fixtures.ts';

function read(text: string): Workload {
  const parsed = parseWorkloadFile(text, 'w.yaml');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems, null, 2));
  return parsed.value[0]!.workload;
}

function mistakes(text: string): string[] {
  const parsed = parseWorkloadFile(text, 'w.yaml');
  if (parsed.ok) throw new Error('was accepted');
  return parsed.problems.map(({ line, field, message }) => `${line} ${field}: ${message}`);
}

test('a short document gets every default', () => {
  expect(read(workloadYaml())).toEqual({
    id: 'shop/web-1',
    name: 'web-1',
    namespace: 'shop',
    labels: { app: 'web' },
    service: 'web',
    serviceAccount: 'web',
    version: '',
    zone: '',
    weight: 100,
    runs: { kind: 'netns', path: '/run/netns/web-1' },
    address: undefined,
    ports: [{ name: 'http', port: 8080, servicePort: 80, protocol: 'http' }],
    healthCheck: undefined,
    upstreams: [],
    exclude: { outboundPorts: [], outboundCidrs: [], inboundPorts: [] },
  });
});

test('a file may hold several documents, and empty ones do not count', () => {
  const parsed = parseWorkloadFile(`---\n${workloadYaml()}---\n${workloadYaml({ name: 'web-2' })}---\n`, 'w.yaml');
  expect(parsed.ok && parsed.value.map(({ workload, line }) => [workload.name, line])).toEqual([
    ['web-1', 2],
    ['web-2', 11],
  ]);
});

test('one mistake refuses the whole file', () => {
  expect(mistakes(`${workloadYaml()}---\n${workloadYaml({ name: 'Web_2' })}`)).toEqual([
    expect.stringMatching(/^12 metadata\.name: Web_2: use lower-case letters/),
  ]);
});

test('an empty file is a mistake, because an editor that rewrites in place leaves one for a moment', () => {
  expect(mistakes('')[0]).toMatch(/delete the file to remove/);
  expect(mistakes('# nothing\n')[0]).toMatch(/delete the file to remove/);
});

test.each([
  ['{netns: /var/run/netns/web}', { kind: 'netns', path: '/run/netns/web' }, 'netns:/run/netns/web', '/run/netns/web'],
  ['{pid: 4711}', { kind: 'pid', pid: 4711 }, 'pid:4711', '/proc/4711/ns/net'],
])('runs: %s names its unit and the path of its namespace', (runs, expected, unit, path) => {
  const workload = read(workloadYaml({ runs }));
  expect(workload.runs).toEqual(expected);
  expect([unitOf(workload), namespacePathOf(workload)]).toEqual([unit, path]);
});

test('a workload on the host must say where others reach it', () => {
  expect(mistakes(workloadYaml({ runs: '{host: {uid: 33}}' }))[0]).toMatch(
    /^4 spec\.address: missing; a workload on the host/,
  );
  const workload = read(workloadYaml({ runs: '{host: {}}', spec: '  address: 10.0.0.1\n' }));
  expect([workload.runs, unitOf(workload), namespacePathOf(workload)]).toEqual([
    { kind: 'host', uid: undefined },
    'host',
    undefined,
  ]);
});

test.each(['{}', '{pid: 3, netns: /x}'])('runs: %s is refused: exactly one way is needed', (runs) => {
  expect(mistakes(workloadYaml({ runs }))[0]).toMatch(/^6 spec\.runs: give exactly one of netns/);
});

test.each([
  ['http/1.1', 'http'],
  ['kubernetes.io/ws', 'http'],
  ['HTTP', 'http'],
  ['grpc', 'http2'],
  ['https', 'tcp'],
  ['redis', 'tcp'],
])('appProtocol %s is carried as %s', (written, protocol) => {
  expect(read(workloadYaml().replace('appProtocol: http', `appProtocol: ${written}`)).ports[0]?.protocol).toBe(
    protocol,
  );
});

test('a port without appProtocol is detected', () => {
  expect(read(workloadYaml().replace(', appProtocol: http', '')).ports[0]?.protocol).toBe('auto');
});

test('an unknown appProtocol is refused with the known ones', () => {
  const [mistake] = mistakes(workloadYaml().replace('appProtocol: http', 'appProtocol: rediss'));
  expect(mistake).toMatch(/^8 spec\.ports\[0\]\.appProtocol: rediss is not known; did you mean redis\? Known: http,/);
});

test('a version that YAML reads as a number is refused with the quotes it needs', () => {
  expect(mistakes(workloadYaml({ spec: '  version: 1.10\n' }))).toEqual([
    '9 spec.version: 1.10 is read as a number where text is meant; write "1.10" in quotes',
  ]);
});

test('a missing field is reported where it belongs', () => {
  expect(mistakes(workloadYaml().replace('  service: web\n', ''))[0]).toBe(
    '4 spec.service: missing; it must be a text',
  );
});

test('two ports may share neither name nor number nor service port', () => {
  const second = (port: string) => mistakes(workloadYaml({ spec: `    - ${port}\n` }));
  expect(second('{name: http, port: 1}')[0]).toMatch(/^9 spec\.ports\[1\]\.name: http is already that of ports\[0\]/);
  expect(second('{name: b, port: 8080}')[0]).toMatch(/spec\.ports\[1\]\.port: 8080 is already/);
  expect(second('{name: b, port: 80}')[0]).toMatch(/spec\.ports\[1\]\.servicePort: 80 is already/);
});

test('a health check asks the first port unless told otherwise', () => {
  expect(read(workloadYaml({ spec: '  healthCheck: {http: {path: /healthz}}\n' })).healthCheck).toEqual({
    kind: 'http',
    path: '/healthz',
    port: 8080,
    intervalMs: 5_000,
    timeoutMs: 1_000,
    healthyAfter: 1,
    unhealthyAfter: 3,
  });
  expect(read(workloadYaml({ spec: '  healthCheck: {tcp: {port: 9, intervalMs: 100}}\n' })).healthCheck).toMatchObject({
    kind: 'tcp',
    port: 9,
    intervalMs: 100,
  });
  expect(mistakes(workloadYaml({ spec: '  healthCheck: {tcp: {}, http: {}}\n' }))[0]).toMatch(
    /exactly one of http and tcp/,
  );
});

test('upstreams name a service and a listener', () => {
  const workload = read(
    workloadYaml({ spec: '  upstreams:\n    - {service: shop/cart, port: 80, listen: "127.0.0.1:9001"}\n' }),
  );
  expect(workload.upstreams).toEqual([
    { service: 'shop/cart', port: 80, listen: { address: '127.0.0.1', port: 9001 } },
  ]);
  expect(mistakes(workloadYaml({ spec: '  upstreams: [{service: cart, port: 80, listen: "x:1"}]\n' }))).toEqual([
    expect.stringMatching(/service: cart: use namespace\/service/),
    expect.stringMatching(/listen: x:1 is not address:port/),
  ]);
});

test('a kind of another program is refused by name', () => {
  expect(mistakes(workloadYaml().replace('kind: Workload', 'kind: Pod'))[0]).toBe(
    '2 kind: Pod is not known; write Workload',
  );
});

test('the CIDRs of exclude are checked', () => {
  expect(
    read(workloadYaml({ spec: '  exclude: {outboundCidrs: [10.0.0.0/8, "fd00::/8"]}\n' })).exclude.outboundCidrs,
  ).toHaveLength(2);
  expect(mistakes(workloadYaml({ spec: '  exclude: {outboundCidrs: [10.0.0.0/99]}\n' }))[0]).toMatch(
    /10\.0\.0\.0\/99.*CIDR/,
  );
});

test('no text makes the reader throw, and every mistake has a place in the file', () => {
  const valid = workloadYaml({ spec: '  healthCheck: {http: {path: /healthz}}\n  exclude: {outboundPorts: [53]}\n' });
  const lines = valid.split('\n');
  const edit = fc.record({
    at: fc.nat(lines.length - 1),
    text: fc.oneof(
      fc.string(),
      fc.constantFrom('---', '- x', '\t', '&a [*a]', '? {}', '<<: *b', '!!js/x y', 'spec: ~', '  ports: {}', '"'),
    ),
  });
  const edited = fc.array(edit, { minLength: 1, maxLength: 4 }).map((edits) => {
    const copy = [...lines];
    for (const { at, text } of edits) copy[at] = text;
    return copy.join('\n');
  });
  fc.assert(
    fc.property(fc.oneof(fc.string(), edited), (text) => {
      const parsed = parseWorkloadFile(text, 'w.yaml');
      if (parsed.ok) return;
      expect(parsed.problems.length).toBeGreaterThan(0);
      for (const { line, column, message } of parsed.problems) {
        expect([line >= 1, column >= 1, message.length > 0]).toEqual([true, true, true]);
      }
    }),
    { numRuns: 500 },
  );
});
