/** `kind: MeshConfig`: what holds for the mesh as a whole. One document, named `default`. @module */
import { z } from 'zod';
import type { DocumentConsumer, DocumentKind } from './kind.ts';
import { compileBySchema } from './kind.ts';

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

const NOTHING: MeshConfig = { displayName: '', contact: '' };

export class MeshConfigConsumer implements DocumentConsumer {
  readonly kind = 'MeshConfig';
  #current = NOTHING;

  get current(): MeshConfig {
    return this.#current;
  }

  activate(_key: unknown, value: unknown): void {
    const { spec } = value as z.output<typeof schema>; // what our own compile yielded
    this.#current = { displayName: spec.displayName ?? '', contact: spec.contact ?? '' };
  }

  deactivate(): void {
    this.#current = NOTHING;
  }
}
