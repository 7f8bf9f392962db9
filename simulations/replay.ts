/** The command that runs a simulation again, step for step. @module */
export function replayCommand(run: {
  readonly scenario: string;
  readonly nodes: number;
  readonly seed: number;
}): string {
  return `weft simulate ${run.scenario} --nodes ${run.nodes} --seed ${run.seed}`;
}
