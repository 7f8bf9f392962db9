/** Load that wrk cannot make, as a process of its own: takes an order in JSON, prints what came of it in JSON. */
import { bulk } from './bulk.ts';
import type { GeneratorOrder, LoadResult } from './load.ts';
import { openLoop } from './open-loop.ts';
import { pingPong } from './ping-pong.ts';

const order = JSON.parse(process.argv[2]!) as GeneratorOrder;
console.log(`\n${JSON.stringify(await run(order))}`);
process.exit(0); // connections that are still open end with it

function run(order: GeneratorOrder): Promise<LoadResult> {
  switch (order.kind) {
    case 'bulk':
      return bulk(order);
    case 'open-loop':
      return openLoop(order);
    case 'ping-pong':
      return pingPong(order);
  }
}
