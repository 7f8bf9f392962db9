/** `kind: Workload`: what one YAML document in workloads.d/ may say, and its way to a Workload. @module */
import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { z } from 'zod';
import { cidr, ipLiteral, socketAddress } from '../address-schemas.ts';
import { parseSocketAddress } from '../addresses.ts';
import { protocolOf, unknownProtocolMessage } from './app-protocol.ts';
import type { HealthCheck, RunsIn, Upstream, Workload, WorkloadPort } from './workload.ts';

export const WORKLOAD_API_VERSION = 'weft.dev/v1alpha1';

const label63 = 'at most 63 lower-case letters, digits and -, beginning and ending with a letter or digit';

/** A part of a DNS name (RFC 1123) and of a SPIFFE ID. */
const dnsLabel = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, `use ${label63}`);

/** As Kubernetes names pods and service accounts: labels joined by dots. */
const dnsName = z
  .string()
  .max(253)
  .regex(
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
    'use lower-case letters, digits, - and . only',
  );

const labelKey = z
  .string()
  .regex(
    /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/,
    'use a Kubernetes label name such as app or example.com/tier',
  );

const labelValue = z
  .string()
  .regex(
    /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/,
    'use at most 63 letters, digits, -, _ and ., beginning and ending with a letter or digit',
  );

const portNumber = z.int().min(1).max(65_535);

/** Generous for one machine, and small enough to travel to every node of a mesh. */
const MAX_PORTS = 64;
const MAX_LABELS = 64;
const MAX_UPSTREAMS = 256;
const MAX_EXCLUSIONS = 128;

const timing = {
  port: portNumber.optional().describe('Port of the application to ask. Default: the first of spec.ports.'),
  intervalMs: z
    .int()
    .min(100)
    .max(3_600_000)
    .default(5_000)
    .describe('Time between checks. Lower notices sooner, for more requests to the application.'),
  timeoutMs: z
    .int()
    .min(10)
    .max(60_000)
    .default(1_000)
    .describe('A check that takes longer has failed. Above the slowest answer of a healthy application.'),
  healthyAfter: z
    .int()
    .min(1)
    .max(100)
    .default(1)
    .describe('Successes in a row that bring an unready workload back. Higher waits until it is stable.'),
  unhealthyAfter: z
    .int()
    .min(1)
    .max(100)
    .default(3)
    .describe('Failures in a row that take a ready workload out. Lower reacts sooner, higher forgives a hiccup.'),
};

const healthCheck = z
  .strictObject({
    http: z
      .strictObject({
        path: z
          .string()
          .max(2_048)
          .regex(/^\/[!-~]*$/, 'use a path that begins with / and holds no space, such as /healthz')
          .default('/')
          .describe('Asked with GET; an answer from 200 to 399 is healthy.'),
        ...timing,
      })
      .optional(),
    tcp: z.strictObject(timing).optional(),
  })
  .refine((check) => (check.http === undefined) !== (check.tcp === undefined), 'give exactly one of http and tcp');

const runs = z
  .strictObject({
    netns: z
      .string()
      .regex(/^\/[^\0]*$/, 'use an absolute path such as /run/netns/web')
      .optional()
      .describe('Path of the network namespace the workload runs in.'),
    pid: z.int().min(1).max(4_194_304).optional().describe('A process whose network namespace it is.'),
    host: z
      .strictObject({
        uid: z.int().min(0).max(4_294_967_294).optional().describe('The user its processes run as.'),
      })
      .optional()
      .describe("It runs in the host's own network namespace."),
  })
  .refine(
    ({ netns, pid, host }) => [netns, pid, host].filter((way) => way !== undefined).length === 1,
    'give exactly one of netns: PATH, pid: NUMBER and host: {}',
  );

const port = z.strictObject({
  name: dnsLabel.describe('Unique within the workload.'),
  port: portNumber.describe('Where the application listens.'),
  servicePort: portNumber.optional().describe('What callers dial. Default: port.'),
  appProtocol: z
    .string()
    .refine((name) => protocolOf(name) !== undefined, { error: ({ input }) => unknownProtocolMessage(String(input)) })
    .optional()
    .describe('What the application speaks. Left out, the first bytes of a connection decide.'),
  proxyProtocol: z
    .enum(['v2'])
    .optional()
    .describe(
      'The header with the address of the client that the application expects at the beginning of each connection. Health checks send none: give them another port, or the kind tcp. Default: none.',
    ),
});

const upstream = z.strictObject({
  service: z
    .string()
    .regex(/^[a-z0-9-]{1,63}\/[a-z0-9-]{1,63}$/, 'use namespace/service, such as shop/cart')
    .describe('The service this listener leads to.'),
  port: portNumber.describe('The service port, as callers dial it.'),
  listen: socketAddress.describe('Where the agent listens for this workload.'),
});

const ports = (what: string) => z.array(portNumber).max(MAX_EXCLUSIONS).default([]).describe(what);

const spec = z.strictObject({
  service: dnsLabel.describe('The name callers use: service.namespace.weft.'),
  serviceAccount: dnsName.optional().describe('Last part of its identity. Default: the service.'),
  version: labelValue.default('').describe('Such as v2; routes choose by it.'),
  zone: z.string().max(63).default('').describe('Failure domain. Default: that of the node.'),
  weight: z
    .int()
    .min(1)
    .max(10_000)
    .default(100)
    .describe('Share of traffic relative to the other endpoints of the service.'),
  runs: runs.describe('Where its processes are found.'),
  address: ipLiteral
    .optional()
    .describe('Where other nodes reach it. Default: read from its network namespace; required with runs.host.'),
  ports: z.array(port).max(MAX_PORTS).default([]).describe('What it serves. None for a workload that only calls.'),
  healthCheck: healthCheck.optional().describe('Without one the workload is ready as soon as it is known.'),
  upstreams: z.array(upstream).max(MAX_UPSTREAMS).default([]).describe('Listeners for use without capture.'),
  exclude: z
    .strictObject({
      outboundPorts: ports('Destination ports that leave without the mesh.'),
      outboundCidrs: z
        .array(cidr)
        .max(MAX_EXCLUSIONS)
        .default([])
        .describe('Destinations that leave without the mesh.'),
      inboundPorts: ports('Ports that anybody may reach in plaintext.'),
    })
    .prefault({})
    .describe('Traffic that capture leaves alone.'),
});

/** A label set travels with every endpoint, so its size is bounded. */
const labels = z
  .record(labelKey, labelValue)
  .refine((all) => Object.keys(all).length <= MAX_LABELS, `at most ${MAX_LABELS} labels; remove some`);

const metadata = z.strictObject({
  name: dnsName.describe('Unique within its namespace on this node.'),
  namespace: dnsLabel.describe('Namespace of service and identity.'),
  labels: labels.default({}).describe('Free words that policies choose by.'),
});

export const workloadSchema = z
  .strictObject({
    apiVersion: z.literal(WORKLOAD_API_VERSION),
    kind: z.literal('Workload'),
    metadata,
    spec,
  })
  .superRefine(({ spec }, context) => {
    const refuse = (path: readonly PropertyKey[], message: string) =>
      context.addIssue({ code: 'custom', path: ['spec', ...path], message });
    if (spec.runs.host !== undefined && spec.address === undefined && spec.ports.length > 0) {
      refuse(
        ['address'],
        'missing; a workload on the host needs it, because the host has many addresses: write the one others reach',
      );
    }
    for (const field of ['name', 'port', 'servicePort'] as const) {
      const seen = new Map<string | number, number>();
      for (const [index, item] of spec.ports.entries()) {
        const value = field === 'servicePort' ? (item.servicePort ?? item.port) : item[field];
        const first = seen.get(value);
        if (first !== undefined)
          refuse(['ports', index, field], `${value} is already that of ports[${first}]; choose another`);
        else seen.set(value, index);
      }
    }
    if (spec.healthCheck !== undefined && checkedPort(spec) === undefined) {
      refuse(['healthCheck'], 'names no port, and the workload has none; set port');
    }
  })
  .transform(toWorkload);

type Written = {
  readonly metadata: z.output<typeof metadata>;
  readonly spec: z.output<typeof spec>;
};

function toWorkload({ metadata, spec }: Written): Workload {
  return {
    id: `${metadata.namespace}/${metadata.name}`,
    name: metadata.name,
    namespace: metadata.namespace,
    labels: metadata.labels,
    service: spec.service,
    serviceAccount: spec.serviceAccount ?? spec.service,
    version: spec.version,
    zone: spec.zone,
    weight: spec.weight,
    runs: runsIn(spec.runs),
    address: spec.address,
    ports: spec.ports.map(toPort),
    healthCheck: toHealthCheck(spec),
    upstreams: spec.upstreams.map(toUpstream),
    exclude: spec.exclude,
  };
}

function runsIn({ netns, pid, host }: z.output<typeof runs>): RunsIn {
  if (netns !== undefined) return { kind: 'netns', path: onePath(netns) };
  return pid !== undefined ? { kind: 'pid', pid } : { kind: 'host', uid: host?.uid };
}

/** One spelling for one namespace: `/var/run` is `/run` on every system with systemd. */
function onePath(path: string): string {
  return posix.normalize(path).replace(/^\/var\/run\//, '/run/');
}

function toPort(written: z.output<typeof port>): WorkloadPort {
  const { name, servicePort = written.port, appProtocol, proxyProtocol } = written;
  const protocol = protocolOf(appProtocol) ?? 'auto';
  return { name, port: written.port, servicePort, protocol, ...(proxyProtocol === undefined ? {} : { proxyProtocol }) };
}

function toHealthCheck(spec: Written['spec']): HealthCheck | undefined {
  const port = checkedPort(spec);
  const { http, tcp } = spec.healthCheck ?? {};
  if (port === undefined) return undefined;
  if (http !== undefined) return { kind: 'http', ...http, port };
  return tcp === undefined ? undefined : { kind: 'tcp', ...tcp, port };
}

function checkedPort({ healthCheck, ports }: Written['spec']): number | undefined {
  return healthCheck?.http?.port ?? healthCheck?.tcp?.port ?? ports[0]?.port;
}

function toUpstream({ service, port, listen }: z.output<typeof upstream>): Upstream {
  const address = parseSocketAddress(listen);
  assert(address !== undefined, 'checked by the schema');
  return { service, port, listen: address };
}
