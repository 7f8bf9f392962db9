/**
 * `kind: TrustBundle`: which roots the trust domain has. One document, `default` in the namespace weft-system.
 *
 * It is a letter that roots signed, in an envelope that an operator signed: what is inside counts for a node when a root
 * that it trusts signed it (certs/root-rotation.ts), whoever sent it. `weft cert rotate-root` writes it.
 * @module
 */
import { z } from 'zod';
import type { Rotation } from '../../certs/root-rotation.ts';
import {
  MAX_STATED_ISSUERS,
  MAX_STATED_ROOTS,
  MAX_STATEMENTS,
  rotationFromJson,
} from '../../certs/root-rotation-files.ts';
import type { DocumentKey } from '../../gossip/documents/revision.ts';
import type { DocumentConsumer, DocumentKind } from './kind.ts';
import { compileBySchema } from './kind.ts';

export const TRUST_BUNDLE_KEY: DocumentKey = { kind: 'TrustBundle', namespace: 'weft-system', name: 'default' };

const certificate = z.base64().min(4).max(16_384);

const schema = z.strictObject({
  apiVersion: z.literal('weft.dev/v1alpha1'),
  kind: z.literal(TRUST_BUNDLE_KEY.kind),
  metadata: z.strictObject({
    name: z.literal(TRUST_BUNDLE_KEY.name).describe('There is one TrustBundle, and this is its name.'),
    namespace: z.literal(TRUST_BUNDLE_KEY.namespace).describe('It is here, so that a scope can name it.'),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
    revision: z.string().optional(),
  }),
  spec: z.looseObject({
    statements: z
      .array(
        z.looseObject({
          sequence: z.int().min(1).describe('The later one counts; a node takes none that is not later than its own.'),
          roots: z.array(certificate).min(1).max(MAX_STATED_ROOTS).describe('All roots from then on, newest last.'),
          signatures: z
            .array(
              z.looseObject({
                root: z
                  .string()
                  .regex(/^[0-9a-f]{64}$/, 'use a SHA-256 fingerprint in lower-case hexadecimal')
                  .describe('Fingerprint of the root that signed.'),
                signature: z.base64().max(1_024).describe('ECDSA with SHA-256.'),
              }),
            )
            .max(MAX_STATED_ROOTS)
            .describe('Of a root trusted before, and of every root listed.'),
        }),
      )
      .min(1)
      .max(MAX_STATEMENTS)
      .describe(
        'What roots said of the roots to trust, in order. They count by their signatures, not by who sends them.',
      ),
    issuers: z
      .array(certificate)
      .max(MAX_STATED_ISSUERS)
      .default([])
      .describe('Certificates of issuers under the root that certificates of nodes are to lead to.'),
  }),
});

/** Nobody waits for others to take it first: the operator waits until all have it. */
export const trustBundleKind: DocumentKind = {
  kind: TRUST_BUNDLE_KEY.kind,
  schema,
  isUrgent: true,
  compile: (resource) => compileBySchema(schema, resource),
};

export class TrustBundleConsumer implements DocumentConsumer {
  readonly kind = TRUST_BUNDLE_KEY.kind;
  readonly #follow: (rotation: Rotation) => Promise<void>;

  constructor(follow: (rotation: Rotation) => Promise<void>) {
    this.#follow = follow;
  }

  async activate(_key: DocumentKey, value: unknown): Promise<void> {
    const { spec } = value as z.output<typeof schema>; // what our own compile yielded
    await this.#follow(rotationFromJson(spec, 'the TrustBundle'));
  }

  /** Roots stay as they are: a deletion is an operator's word, and operators decide about no root. */
  deactivate(): void {}
}
