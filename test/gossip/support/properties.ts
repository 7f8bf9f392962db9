/** Properties run the same way each time; `WEFT_SEED=7` explores elsewhere. Import for its effect on fast-check. */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env.WEFT_SEED ?? 1) });
