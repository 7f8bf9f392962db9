/** Which backend of a rule gets a request: at random, in proportion to weights. @module */

export interface Weighted {
  readonly weight: number;
}

/**
 * Shares as exact as a double: with weights 1 and 9999 the first gets 0.01 %. Choices are independent of each other, so
 * that workers and nodes need not agree on anything for the whole to come out right.
 */
export class Split<T extends Weighted> {
  readonly #choices: readonly T[];
  /** Where each share ends on the line from 0 to the sum of all. */
  readonly #ends: Float64Array;
  readonly #sum: number;

  /** What weighs 0, less, or nothing that is a number is never picked. */
  constructor(choices: readonly T[]) {
    this.#choices = choices.filter(({ weight }) => weight > 0 && Number.isFinite(weight));
    this.#ends = new Float64Array(this.#choices.length);
    let sum = 0;
    for (const [i, { weight }] of this.#choices.entries()) {
      sum += weight;
      this.#ends[i] = sum;
    }
    this.#sum = sum;
  }

  /** @param random from 0 up to but not including 1 @returns undefined where nothing may be picked */
  pick(random: () => number): T | undefined {
    const choices = this.#choices;
    if (choices.length < 2) return choices[0];
    const at = random() * this.#sum;
    for (let i = 0; i < choices.length - 1; i++) if (at < this.#ends[i]!) return choices[i];
    return choices[choices.length - 1];
  }

  /** What part of the whole it gets, 0 to 1. */
  shareOf(choice: T): number {
    return this.#choices.includes(choice) ? choice.weight / this.#sum : 0;
  }

  has(choice: T): boolean {
    return this.#choices.includes(choice);
  }
}
