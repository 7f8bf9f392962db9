/** Seeds to replay: all from 1 to `count`, eight times as many with WEFT_FULL=1, or the one in WEFT_SEED. */
export function seedsToRun(count: number): number[] {
  const { WEFT_SEED: only, WEFT_FULL: full } = process.env;
  const length = full === '1' ? count * 8 : count;
  return only === undefined ? Array.from({ length }, (_, i) => i + 1) : [Number(only)];
}
