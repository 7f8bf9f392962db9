/** `kind: MeshConfig`: what holds for the mesh as a whole. One document, named `default`. @module */
import { z } from 'zod';
import type { PermissivePort } from '../../proxy/access/policy.ts';
import { instant } from './access-fields.ts';
import type { DocumentConsumer, DocumentKind } from './kind.ts';
import { compileBySchema } from './kind.ts';
import { dnsLabel } from './resource.ts';

const MAX_PERMISSIVE = 256;

const access = z
  .strictObject({
    default: z
      .enum(['allow', 'deny'])
      .default('allow')
      .describe('What holds where no AccessPolicy says anything: allow lets in whoever is in the mesh, deny nobody.'),
  })
  .prefault({})
  .describe('Who may call whom.');

const mtls = z
  .strictObject({
    mode: z
      .literal('STRICT')
      .default('STRICT')
      .describe('Nothing enters a workload in plaintext, but for what is listed.'),
    permissive: z
      .array(
        z
          .strictObject({
            namespace: dnsLabel,
            service: dnsLabel,
            port: z.int().min(1).max(65_535).describe('Where the application listens.'),
            until: instant.describe(
              'The end of it, which must be given: plaintext is let in for a while, not for ever.',
            ),
          })
          .describe('A port that plaintext may enter as well, so that its callers can join the mesh one by one.'),
      )
      .max(MAX_PERMISSIVE)
      .default([])
      .describe('Exceptions.'),
  })
  .prefault({})
  .describe('How calls are secured.');

const schema = z.strictObject({
  apiVersion: z.literal('weft.dev/v1alpha1'),
  kind: z.literal('MeshConfig'),
  metadata: z.strictObject({
    name: z.literal('default').describe('There is one MeshConfig, and this is its name.'),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
    revision: z.string().optional(),
  }),
  spec: z.strictObject({
    displayName: z
      .string()
      .min(1)
      .max(80)
      .regex(/^\P{Cc}*$/u, 'use one line without control characters')
      .optional()
      .describe('What people call this mesh; weft status shows it on every node.'),
    contact: z
      .string()
      .min(1)
      .max(200)
      .regex(/^\P{Cc}*$/u, 'use one line without control characters')
      .optional()
      .describe('Whom to ask about this mesh, such as a channel or a telephone number; weft status shows it.'),
    access,
    mtls,
    faults: z
      .enum(['on', 'off'])
      .default('on')
      .describe('off: no FaultInjection of the mesh does anything. The switch to reach for when one does harm.'),
    cookieSecret: z
      .string()
      .min(16)
      .max(256)
      .optional()
      .describe(
        'Signs the cookies of session affinity, so that nobody but the mesh can say which endpoint they mean. Every node, ' +
          'and whoever may read documents, can read it. Left out: it follows from the name of the trust domain, and who ' +
          'knows that name can make cookies and so choose an endpoint of a service it may call anyhow. A new one ends ' +
          'all sessions.',
      ),
  }),
});

export const meshConfigKind: DocumentKind = {
  kind: 'MeshConfig',
  schema,
  compile: (resource) => compileBySchema(schema, resource),
};

/** What the mesh says of itself; fields nobody set are empty. */
export interface MeshConfig {
  readonly displayName: string;
  readonly contact: string;
}

/** What the mesh says of calls that no AccessPolicy is about. */
export interface MeshAccess {
  readonly defaultAction: 'ALLOW' | 'DENY';
  readonly permissive: readonly PermissivePort[];
}

const NOTHING: MeshConfig = { displayName: '', contact: '' };
export const OPEN_MESH: MeshAccess = { defaultAction: 'ALLOW', permissive: [] };

/** What the mesh says of traffic. */
export interface MeshTraffic {
  readonly hasFaults: boolean;
  /** Undefined: that of the trust domain. */
  readonly cookieSecret: string | undefined;
}

export const PLAIN_TRAFFIC: MeshTraffic = { hasFaults: true, cookieSecret: undefined };

/** @param value what compiling a MeshConfig yields */
export function meshTrafficOf(value: unknown): MeshTraffic {
  const { faults, cookieSecret } = (value as z.output<typeof schema>).spec;
  return { hasFaults: faults === 'on', cookieSecret };
}

/** @param value what compiling a MeshConfig yields */
export function meshAccessOf(value: unknown): MeshAccess {
  const { access, mtls } = (value as z.output<typeof schema>).spec;
  return {
    defaultAction: access.default === 'deny' ? 'DENY' : 'ALLOW',
    permissive: mtls.permissive.map(({ until, ...port }) => ({ ...port, untilMs: Date.parse(until) })),
  };
}

export class MeshConfigConsumer implements DocumentConsumer {
  readonly kind = 'MeshConfig';
  readonly #accessChanged: (access: MeshAccess) => void;
  readonly #trafficChanged: (traffic: MeshTraffic) => void;
  #current = NOTHING;

  constructor(accessChanged: (access: MeshAccess) => void, trafficChanged: (traffic: MeshTraffic) => void) {
    this.#accessChanged = accessChanged;
    this.#trafficChanged = trafficChanged;
  }

  get current(): MeshConfig {
    return this.#current;
  }

  activate(_key: unknown, value: unknown): void {
    const { spec } = value as z.output<typeof schema>; // what our own compile yielded
    this.#current = { displayName: spec.displayName ?? '', contact: spec.contact ?? '' };
    this.#accessChanged(meshAccessOf(value));
    this.#trafficChanged(meshTrafficOf(value));
  }

  deactivate(): void {
    this.#current = NOTHING;
    this.#accessChanged(OPEN_MESH);
    this.#trafficChanged(PLAIN_TRAFFIC);
  }
}
