/**
 * `kind: Revocation`: what was certified for a node, a workload or an operator until some instant is worth nothing.
 *
 * One document for each subject, named after it, in the namespace weft-system: writing it takes the scope
 * `Revocation/weft-system`. What it says takes effect in gossip (gossip/documents/revocation.ts); here is what writers
 * are held to.
 * @module
 */
import { z } from 'zod';
import { revocationName, revocationSubject } from '../../certs/revocation.ts';
import { REVOCATION_KIND, REVOCATION_NAMESPACE } from '../../gossip/documents/revocation.ts';
import type { DocumentConsumer, DocumentKind } from './kind.ts';
import { compileBySchema } from './kind.ts';

const instant = z.iso.datetime({ offset: true });
/** Any trust domain will do to see whether a subject is well spelled. */
const isSubject = (text: string): boolean => revocationSubject('any.example', text) !== undefined;

const schema = z
  .strictObject({
    apiVersion: z.literal('weft.dev/v1alpha1'),
    kind: z.literal(REVOCATION_KIND),
    metadata: z.strictObject({
      name: z.string().describe('That of the subject, as weft revoke makes it: node.n3, operator.alice.'),
      namespace: z.literal(REVOCATION_NAMESPACE).describe('Revocations are here, so that a scope can name them.'),
      labels: z.record(z.string(), z.string()).optional(),
      annotations: z.record(z.string(), z.string()).optional(),
      revision: z.string().optional(),
    }),
    spec: z.looseObject({
      subject: z
        .string()
        .max(600)
        .refine(isSubject, 'write node/NAME, workload/ns/NAMESPACE/sa/ACCOUNT or operator/NAME')
        .describe('Whose certificates: node/NAME, workload/ns/NAMESPACE/sa/ACCOUNT or operator/NAME.'),
      before: instant.describe('Certificates issued at this instant or earlier are revoked; later ones are good.'),
      reason: z
        .string()
        .max(200)
        .regex(/^\P{Cc}*$/u, 'use one line without control characters')
        .optional()
        .describe('For people.'),
      expires: instant
        .optional()
        .describe(
          'When all that it covers has expired by itself: from then on it is of no effect, and may be deleted. Left out: ' +
            'never. Operators: never, because what they signed outlives their certificates.',
        ),
    }),
  })
  .superRefine(({ metadata, spec }, context) => {
    const name = revocationName(spec.subject);
    if (metadata.name !== name) {
      context.addIssue({
        code: 'custom',
        path: ['metadata', 'name'],
        message: `the name for ${spec.subject} is ${name}`,
      });
    }
    if (spec.expires !== undefined && Date.parse(spec.expires) <= Date.parse(spec.before)) {
      context.addIssue({ code: 'custom', path: ['spec', 'expires'], message: 'must be later than spec.before' });
    }
  });

/** Nobody waits for others to take it first: what is stolen is used meanwhile. */
export const revocationKind: DocumentKind = {
  kind: REVOCATION_KIND,
  schema,
  isUrgent: true,
  compile: (resource) => compileBySchema(schema, resource),
};

/** The mesh thread says what is revoked before it says which documents are in force: here is nothing left to do. */
export class RevocationConsumer implements DocumentConsumer {
  readonly kind = REVOCATION_KIND;

  activate(): void {}

  deactivate(): void {}
}
