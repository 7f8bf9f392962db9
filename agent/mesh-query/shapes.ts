/** Questions to all nodes of the mesh, answered by each from its own memory and disk. @module */
import { z } from 'zod';

/** Who was asked and who did not answer. Every answer that is about the mesh carries it. */
export const coverage = z.object({
  asked: z.int(),
  answered: z.int(),
  missing: z.array(
    z.object({
      node: z.string(),
      /** `silent`: the mesh does not hear it; `late`: no answer in time; `refused`: it would or could not answer. */
      reason: z.enum(['silent', 'late', 'refused']),
      lastHeardMs: z.number().nullable(),
      /** Endpoints that it had. */
      endpoints: z.int(),
    }),
  ),
});
export type Coverage = z.infer<typeof coverage>;

export interface MeshAnswers<T> {
  /** By node; this one among them. */
  readonly answers: ReadonlyMap<string, T>;
  readonly coverage: Coverage;
}

/** What can be asked of a node, by a name of its own. Question and answer are JSON. */
export interface Topic<Q, A> {
  readonly name: string;
  readonly question: z.ZodType<Q>;
  answer(question: Q): A | Promise<A>;
}

/** Asks every node, this one included. Never rejects because of a node: who fails is in the coverage. */
export interface MeshQuery {
  offer<Q, A>(topic: Topic<Q, A>): void;
  ask<Q, A>(
    topic: Pick<Topic<Q, A>, 'name'>,
    question: Q,
    options?: { readonly nodes?: readonly string[] },
  ): Promise<MeshAnswers<A>>;
}
