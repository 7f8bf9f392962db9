/** Seeds to replay: all from 1 to `count`, or the one in WEFT_SEED. */
export function seedsToRun(count: number): number[] {
  const only = process.env.WEFT_SEED;
  return only === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(only)];
}
