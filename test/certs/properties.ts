/** `WEFT_SEED=7` replays another run of every property; without it they run the same each time. @module */
export const SEEDED = { seed: Number(process.env.WEFT_SEED ?? 1) } as const;
