/** A compile worker whose kinds are as bad as documents can be. */
import { serveCompiles } from '../../../agent/documents/compile-thread.ts';
import type { Compiled } from '../../../agent/documents/kind.ts';
import { resourceSchema } from '../../../agent/documents/resource.ts';

const kinds: Readonly<Record<string, () => Compiled>> = {
  Fine: () => ({ ok: true, value: 'compiled' }),
  Revocation: () => ({ ok: true, value: 'compiled' }),
  Wrong: () => ({ ok: false, problem: 'spec.x: not good' }),
  Throwing: () => {
    throw new Error('no idea what to do');
  },
  Endless: () => {
    for (;;);
  },
  /** As on a machine that has no time for it. */
  Sleeping: () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    return { ok: true, value: 'compiled' };
  },
  Swelling: () => {
    const all: unknown[] = [];
    for (;;) all.push(new Array(10_000).fill({}).map((_, i) => ({ i })));
  },
  Ending: () => process.exit(7),
};

serveCompiles(
  new Map(Object.entries(kinds).map(([kind, compile]) => [kind, { kind, schema: resourceSchema, compile }])),
);
