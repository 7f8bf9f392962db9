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

/** Answers as bytes, where JSON would be too long and too slow. */
export interface AnswerCodec<A> {
  encode(answer: A): Uint8Array;
  /** Checks them too. @throws for bytes that are no answer */
  decode(bytes: Uint8Array): A;
}

/** What can be asked of a node, by a name of its own. A question is JSON, and so is an answer where nothing else is said. */
export interface Topic<Q, A> {
  readonly name: string;
  readonly question: z.ZodType<Q>;
  /** Checks what another node answered; without it only the size of an answer is bounded, and whoever asks must not trust it. */
  readonly answerSchema?: z.ZodType<A>;
  /** In place of JSON and `answerSchema`. */
  readonly codec?: AnswerCodec<A>;
  answer(question: Q): A | Promise<A>;
}

/** What to ask by. Without `answerSchema` or `codec` those of the topic of this name hold, where this node offers it too. */
export type TopicName<A> = Pick<Topic<never, A>, 'name' | 'answerSchema' | 'codec'>;

export interface AskOptions {
  /** Only these; default: all that are in the mesh. */
  readonly nodes?: readonly string[];
  /** Default: 1 s. */
  readonly timeoutMs?: number;
}

/** Asks every node, this one included. Never rejects because of a node: who fails is in the coverage. */
export interface MeshQuery {
  offer<Q, A>(topic: Topic<Q, A>): void;
  ask<Q, A>(topic: TopicName<A>, question: Q, options?: AskOptions): Promise<MeshAnswers<A>>;
}
