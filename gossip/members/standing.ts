/**
 * A member's standing: the newest signed word on whether it is in the mesh, and what makes one word newer than another.
 *
 * A node signs for itself that it is alive or that it leaves. That it is dead is said by others, so it takes several of
 * them: a dead standing carries the signed accusations it rests on, and one compromised member cannot evict anybody.
 * Suspicion is not a standing: it is an opinion of observers, it expires, and it is not passed on in anti-entropy.
 * @module
 */

/** Why an observer gave up on a member: its port refused, nothing answered, or it accepted but stayed mute too long. */
export type Cause = 'refused' | 'silent' | 'stalled';

export interface Accusation {
  readonly by: string;
  readonly cause: Cause;
  readonly signature: Uint8Array;
}

/** A life of a node: `epoch` rises with every start, `inc` (incarnation) whenever it refutes its own death within one. */
export type Standing =
  | { readonly kind: 'alive'; readonly epoch: number; readonly inc: number; readonly signature: Uint8Array }
  | { readonly kind: 'left'; readonly epoch: number; readonly signature: Uint8Array }
  | {
      readonly kind: 'dead';
      readonly epoch: number;
      readonly inc: number;
      readonly accusations: readonly Accusation[];
    };

/** Which standing of a node, without what proves it. `rank` as in `RANK`. */
export interface StandingLine {
  readonly name: string;
  readonly epoch: number;
  readonly inc: number;
  readonly rank: number;
}

/** Order inside one (epoch, inc): bad news wins until the member itself raises its incarnation. */
export const RANK: Readonly<Record<Standing['kind'], number>> = { alive: 0, dead: 1, left: 2 };

/** Leaving is final for its epoch, so it counts as an incarnation above all others. */
export const FINAL_INC = 0xffff_ffff;

export function incarnation(standing: Standing): number {
  return standing.kind === 'left' ? FINAL_INC : standing.inc;
}

/** Above 0 when `a` is newer than `b`. No wall clock takes part: epochs are compared, never read as times. */
export function compareStanding(a: Standing, b: Standing): number {
  return a.epoch - b.epoch || incarnation(a) - incarnation(b) || RANK[a.kind] - RANK[b.kind];
}

/** The same order, of standings known by their lines. */
export function compareLine(a: StandingLine, b: StandingLine): number {
  return a.epoch - b.epoch || a.inc - b.inc || a.rank - b.rank;
}

export function lineOf(name: string, standing: Standing): StandingLine {
  return { name, epoch: standing.epoch, inc: incarnation(standing), rank: RANK[standing.kind] };
}

/** What each kind of standing says, in bytes to sign. Names hold no newline, so no two statements read alike. */
export function aliveStatement(trustDomain: string, name: string, epoch: number, inc: number): Uint8Array {
  return text(`weft alive 1\n${trustDomain}\n${name}\n${epoch}\n${inc}`);
}

export function leftStatement(trustDomain: string, name: string, epoch: number): Uint8Array {
  return text(`weft left 1\n${trustDomain}\n${name}\n${epoch}`);
}

export interface AccusationSubject {
  readonly name: string;
  readonly epoch: number;
  readonly inc: number;
}

export function accusationStatement(
  trustDomain: string,
  subject: AccusationSubject,
  by: string,
  cause: Cause,
): Uint8Array {
  return text(`weft accuse 1\n${trustDomain}\n${subject.name}\n${subject.epoch}\n${subject.inc}\n${by}\n${cause}`);
}

const encoder = new TextEncoder();

function text(statement: string): Uint8Array {
  return encoder.encode(statement);
}
