/**
 * An application of known capacity, and callers that press on it. Both go by the same ticks, about 10 ms each, so that a
 * machine that is busy with something else slows both alike.
 * @module
 */

import http from 'node:http';
import { setImmediate, setTimeout } from 'node:timers/promises';

const TICK_MS = 10;

export interface Capacity {
  /** So many requests at once, the others in line. */
  readonly atOnce: number;
  /** Each takes so long. */
  readonly ticks: number;
}

export class LoadedApp {
  readonly server: http.Server;
  readonly #capacity: Capacity;
  readonly #served: { readonly response: http.ServerResponse; readonly dueTick: number }[] = [];
  readonly #line: http.ServerResponse[] = [];
  #tick = 0;

  constructor(capacity: Capacity) {
    this.#capacity = capacity;
    this.server = http.createServer((_request, response) => {
      this.#line.push(response);
      this.#serve();
    });
  }

  tick(): void {
    this.#tick++;
    while (this.#served[0]?.dueTick === this.#tick) this.#served.shift()!.response.end('done');
    this.#serve();
  }

  #serve(): void {
    const { atOnce, ticks } = this.#capacity;
    while (this.#served.length < atOnce && this.#line.length > 0)
      this.#served.push({ response: this.#line.shift()!, dueTick: this.#tick + ticks });
  }
}

/** Requests at a rate, whatever becomes of those before. */
export interface Flow {
  readonly port: number;
  readonly perTick: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Tally {
  asked: number;
  served: number;
  refused: number;
  other: number;
}

/**
 * What became of each flow.
 *
 * @param fromTick requests that begin before are not counted
 */
export async function press(
  app: LoadedApp,
  flows: readonly Flow[],
  { ticks, fromTick }: { readonly ticks: number; readonly fromTick: number },
): Promise<readonly Tally[]> {
  const agent = new http.Agent({ keepAlive: true });
  const tallies = flows.map((): Tally => ({ asked: 0, served: 0, refused: 0, other: 0 }));
  const open = new Set<Promise<void>>();
  const send = ({ port, headers }: Flow, tally: Tally | undefined): void => {
    const done = statusOf({ port, headers, agent }).then((status) => {
      open.delete(done);
      if (tally === undefined) return;
      tally.asked++;
      if (status === 200) tally.served++;
      else if (status === 503) tally.refused++;
      else tally.other++;
    });
    open.add(done);
  };
  for (let tick = 0; tick < ticks || open.size > 0; tick++) {
    app.tick();
    for (const [i, flow] of flows.entries()) {
      if (tick >= ticks) break;
      const due = Math.floor((tick + 1) * flow.perTick) - Math.floor(tick * flow.perTick);
      for (let n = 0; n < due; n++) send(flow, tick < fromTick ? undefined : tallies[i]);
    }
    await setTimeout(TICK_MS);
    for (let turn = 0; turn < 4; turn++) await setImmediate(); // what is on its way arrives first
  }
  agent.destroy();
  return tallies;
}

function statusOf({
  headers,
  ...options
}: {
  port: number;
  headers: Flow['headers'];
  agent: http.Agent;
}): Promise<number> {
  return new Promise((resolve) => {
    http
      .get({ host: '127.0.0.1', ...options, headers: { ...headers } }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode!));
      })
      .on('error', () => resolve(0));
  });
}
