/** A case that measures a part of Weft by itself, beside nothing. @module */
export interface OwnCase {
  readonly name: string;
  measure(options: OwnOptions): Promise<OwnResult>;
}

export interface OwnOptions {
  readonly rounds: number;
  /** Of those that watch something for a while. */
  readonly minutes: number;
}

/** `figures` are what `-o json` prints beside the name; `lines` are for people. */
export interface OwnResult {
  readonly figures: Readonly<Record<string, unknown>>;
  readonly lines: readonly string[];
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
