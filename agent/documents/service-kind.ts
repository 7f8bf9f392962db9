/**
 * `kind: Service`: a name that callers dial, and its ports, as Kubernetes writes it (v1) or under our own apiVersion.
 *
 * What only a cluster can do with a Service is taken and not read: clusterIP, traffic policies, load balancers.
 * @module
 */
import { z } from 'zod';
import type { CompiledService, ServicePort } from '../traffic/compiled.ts';
import { labels } from './call-source.ts';
import { type Compiled, compileBySchema, type DocumentKind } from './kind.ts';
import { dnsLabel } from './resource.ts';
import { OWN_API } from './route-rules.ts';
import { kubernetesMetadata, port, status } from './traffic-fields.ts';

const MAX_PORTS = 64;

const servicePort = z
  .looseObject({
    name: dnsLabel.optional().describe('Unique among the ports; must be given where there are several.'),
    port: port.describe('What callers dial.'),
    targetPort: z
      .union([port, dnsLabel])
      .optional()
      .describe('Where the application listens, or the name of its port. Left out: the same as port.'),
    protocol: z.enum(['TCP', 'UDP', 'SCTP']).default('TCP').describe('Only TCP is routed.'),
    appProtocol: z
      .string()
      .max(253)
      .optional()
      .describe(
        'What is spoken: http, http2, h2c, kubernetes.io/h2c, grpc, tcp. Others, and none: what the first bytes say.',
      ),
  })
  .describe('A port.');

const schema = z.strictObject({
  apiVersion: z.enum(['v1', OWN_API]).describe('As Kubernetes has it, or our own; both say the same.'),
  kind: z.literal('Service'),
  metadata: kubernetesMetadata.extend({ name: dnsLabel.describe('Unique within its namespace.') }),
  spec: z
    .looseObject({
      selector: labels.default({}).describe('Labels of the workloads behind it. None: those that name the service.'),
      ports: z.array(servicePort).max(MAX_PORTS).default([]).describe('What can be dialled.'),
      type: z
        .enum(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'])
        .default('ClusterIP')
        .describe('ExternalName has no routes; the others are the same here.'),
      clusterIP: z.string().max(64).optional().describe('None has no routes; any other address is not read.'),
    })
    .superRefine(({ ports }, context) => {
      const seen = new Set<string>();
      for (const [i, { name, port, protocol }] of ports.entries()) {
        const issue = (field: string, message: string) =>
          context.addIssue({ code: 'custom', path: ['ports', i, field], message });
        if (name === undefined && ports.length > 1) issue('name', 'must be given where there are several ports');
        if (name !== undefined && seen.has(name)) issue('name', `${name} is there already; choose another`);
        if (seen.has(`${protocol} ${port}`)) issue('port', `${port} is there already; choose another`);
        seen.add(name ?? '').add(`${protocol} ${port}`);
      }
    }),
  status,
});

export const serviceKind: DocumentKind = {
  kind: 'Service',
  schema,
  compile: (resource): Compiled => {
    const checked = compileBySchema(schema, resource);
    return checked.ok ? { ok: true, value: toService(checked.value as z.output<typeof schema>) } : checked;
  },
};

function toService({ metadata, spec }: z.output<typeof schema>): CompiledService {
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    selector: spec.selector,
    ports: spec.ports
      .filter(({ protocol }) => protocol === 'TCP')
      .map(({ name = '', port, targetPort = port, appProtocol }) => ({
        name,
        port,
        targetPort,
        protocol: protocolOf(appProtocol),
      })),
    type: spec.type === 'ExternalName' ? 'external' : spec.clusterIP === 'None' ? 'headless' : 'virtual',
  };
}

/** Never refused: Kubernetes takes any text here. What we do not know is told by the first bytes. */
function protocolOf(appProtocol: string | undefined): ServicePort['protocol'] {
  switch (appProtocol?.toLowerCase()) {
    case 'http':
    case 'http1':
    case 'kubernetes.io/ws':
      return 'http';
    case 'http2':
    case 'h2c':
    case 'grpc':
    case 'kubernetes.io/h2c':
      return 'http2';
    case 'tcp':
      return 'tcp';
    default:
      return 'auto';
  }
}
