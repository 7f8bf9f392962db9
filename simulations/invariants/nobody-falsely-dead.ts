/** A member that runs, does not stand still, and can be reached by most is never dead to anybody (gossip.md §5.9). @module */
import type { Verdicts } from '../measure/verdicts.ts';
import type { Process } from '../world/process.ts';
import type { Invariant, Report } from './invariant.ts';

export class NobodyFalselyDead implements Invariant {
  readonly #verdicts: Verdicts;
  readonly #report: Report;
  #told = 0;

  constructor(verdicts: Verdicts, report: Report) {
    this.#verdicts = verdicts;
    this.#report = report;
  }

  settled(_viewer: Process): void {
    const { falseDeaths } = this.#verdicts;
    for (; this.#told < falseDeaths.length; this.#told++) {
      const { name, viewer } = falseDeaths[this.#told]!;
      this.#report('nobody-falsely-dead', `${viewer} holds ${name} dead, which runs and can be reached`);
    }
  }
}
