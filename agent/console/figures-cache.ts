/**
 * Answers about traffic, kept for a moment: pages ask the same of all nodes several times a second, and a day in steps of
 * 5 min does not change every 2 s. Of 128 answers the oldest gives way.
 * @module
 */
import type { FiguresQuestion } from '../history/figures.ts';
import type { MeshFigures } from './world.ts';

const MAX_KEPT = 128;

interface Kept {
  readonly atMs: number;
  readonly answer: Promise<MeshFigures>;
}

export class FiguresCache {
  readonly #ask: (question: FiguresQuestion) => Promise<MeshFigures>;
  readonly #nowMs: () => number;
  readonly #kept = new Map<string, Kept>();

  constructor(ask: (question: FiguresQuestion) => Promise<MeshFigures>, nowMs: () => number) {
    this.#ask = ask;
    this.#nowMs = nowMs;
  }

  /** @param forMs how old an answer may be */
  ask(question: FiguresQuestion, forMs: number): Promise<MeshFigures> {
    const nowMs = this.#nowMs();
    const { fromMs, toMs, ...rest } = question;
    const isLive = nowMs - toMs < forMs;
    const key = JSON.stringify([rest, toMs - fromMs, isLive ? 'now' : toMs]);
    const kept = this.#kept.get(key);
    if (kept !== undefined && nowMs - kept.atMs < forMs) return kept.answer;
    this.#kept.delete(key);
    const answer = this.#ask(question);
    this.#kept.set(key, { atMs: nowMs, answer });
    answer.catch(() => this.#kept.delete(key));
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    return answer;
  }
}
