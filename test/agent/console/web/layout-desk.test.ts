/** Who lays the graph out: a worker, else the page's own thread; and only the newest question has an answer. */
import { expect, test } from 'vitest';
import { LayoutDesk, type LayoutWorker, type WorkerTells } from '../../../../agent/console/web/graph/layout-desk.ts';
import { type PackedAsk, packed, unpacked } from '../../../../agent/console/web/graph/places-asked.ts';
import { placesFor } from '../../../../agent/console/web/graph/placing.ts';
import { generated } from '../fake/generate.ts';

function askedOf(services: number, seed: number) {
  const { nodes, edges } = generated({ services, edges: services * 4, namespaces: 6, seed });
  const calls = edges.map(({ from, to }, i) => ({ from, to, rate: i % 5 === 0 ? null : i }));
  const open = [nodes[0]!.namespace];
  return { nodes, edges: calls, isCards: false, open, outer: new Map(), inner: new Map() };
}

/** A worker whose answers the test sends, over a real port: what cannot be copied cannot be asked. */
class Held implements LayoutWorker {
  readonly asked: PackedAsk[] = [];
  readonly tells: WorkerTells;
  readonly #channel = new MessageChannel();
  #look = () => {};

  constructor(tells: WorkerTells) {
    this.tells = tells;
    this.#channel.port2.onmessage = ({ data }) => {
      this.asked.push(data);
      this.#look();
    };
    this.#channel.port1.onmessage = ({ data }) => tells.onFound(data);
  }
  ask(message: PackedAsk) {
    this.#channel.port1.postMessage(message, [message.calls.buffer]);
  }
  end() {
    this.#channel.port1.close();
  }
  async has(questions: number): Promise<void> {
    while (this.asked.length < questions) {
      await new Promise<void>((resolve) => {
        this.#look = resolve;
      });
    }
  }
  answer(question: PackedAsk) {
    this.#channel.port2.postMessage({ number: question.number, ...placesFor(unpacked(question)) });
  }
}

function heldDesk() {
  const made: Held[] = [];
  const desk = new LayoutDesk((tells) => {
    made.push(new Held(tells));
    return made.at(-1)!;
  });
  return { desk, made };
}

test('what is packed for the worker comes out as it was, unknown rates too', () => {
  const asked = askedOf(40, 1);
  expect(unpacked(packed(asked, 3))).toEqual({
    ...asked,
    nodes: asked.nodes.map(({ id, namespace }) => ({ id, namespace })),
  });
});

test('an answer to an older question is dropped, and the newest one has its own', async () => {
  const { desk, made } = heldDesk();
  try {
    const old = desk.ask(askedOf(20, 1));
    const asked = askedOf(30, 2);
    const newest = desk.ask(asked);
    expect(await old).toBeUndefined();
    const [worker] = made;
    await worker!.has(2);
    worker!.answer(worker!.asked[0]!);
    worker!.answer(worker!.asked[1]!);
    expect(await newest).toEqual(placesFor(asked));
  } finally {
    desk.close();
  }
});

test('a worker that fails leaves the question to the page, and those after it', async () => {
  const { desk, made } = heldDesk();
  const asked = askedOf(20, 1);
  const first = desk.ask(asked);
  made[0]!.tells.onFailed();
  expect(await first).toEqual(placesFor(asked));
  expect(await desk.ask(asked)).toEqual(placesFor(asked));
  expect(made).toHaveLength(1);
});

test('without workers the page lays out by itself; a desk that is closed has no answer', async () => {
  const none = new LayoutDesk(() => {
    throw new Error('no workers here');
  });
  const asked = askedOf(20, 1);
  expect((await none.ask(asked))!.outer.size).toBe(20);
  const { desk } = heldDesk();
  const left = desk.ask(asked);
  desk.close();
  expect(await left).toBeUndefined();
});
