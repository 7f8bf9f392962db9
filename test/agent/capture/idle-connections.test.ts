/**
 * A pooled connection to an application that turns out dead, and requests that must not be sent twice (RFC 9110 §9.2.2): they go
 * on another one where the kernel knows that nothing of them was sent, and only there.
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type net from 'node:net';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { Linux } from '../../../agent/capture/linux.ts';
import { captureSockets } from '../../../agent/capture/sockets.ts';
import { plainSockets, type Sockets } from '../../../proxy/sockets.ts';
import { eventually, Mesh, TestServer } from '../../proxy/mesh.ts';

const CAN_ASK = process.platform === 'linux';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Sockets of this namespace of which the kernel is asked. */
function askedSockets(): Sockets {
  const captured = captureSockets([], Linux.load());
  return { ...plainSockets(), hasSpoken: (socket) => captured.hasSpoken(socket) };
}

interface Said {
  readonly status: number;
  readonly reason: string;
}

async function post(mesh: Mesh, id: string, body = 'order', method = 'POST'): Promise<Said> {
  const response = await fetch(`http://127.0.0.1:${mesh.port}/${id}`, { method, body });
  await response.text();
  return { status: response.status, reason: response.headers.get('weft-reason') ?? '' };
}

/** Calls back with the path of each request that has arrived whole; bodies are `order`. */
function onRequests(socket: net.Socket, served: (id: string) => void): void {
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    for (let match = next(text); match !== null; match = next(text)) {
      text = text.slice(match[0].length);
      served(match[1]!);
    }
  });
}

function next(text: string): RegExpExecArray | null {
  return /^\w+ \/(\S+) .*?\r\n\r\n(?:order)+/s.exec(text);
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `post-${index}`);

test.skipIf(!CAN_ASK)(
  'an end that came right behind a response costs no POST that waits for the connection',
  async () => {
    const seen: string[] = [];
    await using app = await TestServer.tcp((socket) => {
      onRequests(socket, (id) => {
        seen.push(id);
        socket.end(OK); // without having said so: Connection: close is missing
      });
    });
    const config = { upstream: { maxConnections: 1 } };
    await using mesh = await Mesh.start(app.port, { config, socketsOfB: askedSockets() });
    const ids = numbered(30);
    const said = await Promise.all(ids.map((id) => post(mesh, id)));
    expect(said.filter(({ status }) => status !== 200)).toEqual([]);
    expect(seen.sort()).toEqual(ids.sort());
  },
);

test.skipIf(!CAN_ASK)('a connection that was reset since the event loop looked is not given to a POST', async () => {
  const seen: string[] = [];
  const open: net.Socket[] = [];
  await using app = await TestServer.tcp((socket) => {
    open.push(socket);
    onRequests(socket, (id) => {
      seen.push(id);
      socket.write(OK);
    });
  });
  const asked = askedSockets();
  let answers: boolean[] = [];
  const socketsOfB = {
    ...asked,
    hasSpoken: (socket: net.Socket) => {
      answers.push(asked.hasSpoken(socket));
      open.at(-1)!.resetAndDestroy(); // at the kernel before this returns
      answers.push(asked.hasSpoken(socket));
      return answers.at(-1)!;
    },
  };
  await using mesh = await Mesh.start(app.port, { socketsOfB });
  expect((await post(mesh, 'first')).status).toBe(200);
  expect((await post(mesh, 'second')).status).toBe(200);
  expect([answers, seen]).toEqual([
    [false, true],
    ['first', 'second'],
  ]);
  expect(mesh.b.reader.counters().upstreamReplayed).toBe(0); // it was never sent before
  answers = [];
  expect((await post(mesh, 'third', 'order', 'PUT')).status).toBe(200);
  expect(answers).toEqual([]); // what may be repeated is not worth a system call
});

test.each([['order'], ['order'.repeat(4_000)]])(
  'a POST whose first write the kernel refuses goes on another one',
  async (body) => {
    const seen: string[] = [];
    const open: net.Socket[] = [];
    await using app = await TestServer.tcp((socket) => {
      open.push(socket);
      onRequests(socket, (id) => {
        seen.push(id);
        socket.write(OK);
      });
    });
    // The reset comes after the kernel was asked, and before it is given anything.
    const hasSpoken = (): boolean => {
      open.at(-1)!.resetAndDestroy();
      return false;
    };
    await using mesh = await Mesh.start(app.port, { socketsOfB: { ...plainSockets(), hasSpoken } });
    expect((await post(mesh, 'first', body)).status).toBe(200);
    expect((await post(mesh, 'second', body)).status).toBe(200);
    expect(seen).toEqual(['first', 'second']);
    expect(mesh.b.reader.counters().upstreamReplayed).toBe(1);
  },
);

/** A process of its own, so that what it does falls between any two steps of the proxy. */
const SERVER = `
  const net = require('node:net');
  const [seed, ok] = JSON.parse(process.argv[1]);
  let state = seed;
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const next = ${next.toString()};
  const leave = (socket) => (random() < 0.5 ? socket.end() : socket.resetAndDestroy());
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => {});
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (let match = next(text); match !== null; match = next(text)) {
        text = text.slice(match[0].length);
        console.log(match[1]);
        const choice = random();
        if (choice < 0.1) return leave(socket); // has worked on it, and dies
        if (choice < 0.3) return void socket.end(ok);
        socket.write(ok);
        if (choice < 0.6) setTimeout(leave, random() * 3, socket);
        else if (choice < 0.7) setImmediate(leave, socket);
      }
    });
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;

/** The requests that a server has worked on, which closes its connections whenever it likes. */
class Adversary implements AsyncDisposable {
  readonly seen: string[] = [];
  port = 0;
  readonly #process: ChildProcess;

  constructor(seed: number) {
    this.#process = spawn(process.execPath, ['-e', SERVER, JSON.stringify([seed, OK])], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface({ input: this.#process.stdout! }).on('line', (line) => {
      if (this.port === 0) this.port = Number(line);
      else this.seen.push(line);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
  }
}

test.skipIf(!CAN_ASK).each([1, 2])(
  'no POST is worked on twice, whenever idle connections end (seed %i)',
  async (seed) => {
    await using adversary = new Adversary(seed);
    await eventually(() => adversary.port > 0);
    await using mesh = await Mesh.start(adversary.port, { socketsOfB: askedSockets() });
    const ids = numbered(150);
    const said = new Map<string, Said>();
    const left = [...ids];
    const callers = Array.from({ length: 8 }, async () => {
      for (let id = left.pop(); id !== undefined; id = left.pop()) said.set(id, await post(mesh, id));
    });
    await Promise.all(callers);
    const served = ids.filter((id) => said.get(id)!.status === 200);
    await eventually(() => served.every((id) => adversary.seen.includes(id)));
    expect(adversary.seen.length).toBe(new Set(adversary.seen).size);
    const others = ids.filter((id) => said.get(id)!.status !== 200).map((id) => said.get(id)!);
    expect(new Set(others.map(({ status, reason }) => `${status} ${reason}`))).toSatisfy((kinds: Set<string>) =>
      [...kinds].every((kind) => kind === '502 upstream-closed' || kind === '502 upstream-reset'),
    );
    const lost = ids.filter((id) => said.get(id)!.status !== 200 && !adversary.seen.includes(id)).length;
    if (process.env.WEFT_TEST_LOG !== undefined)
      console.log({ seed, served: served.length, others: others.length, lost });
    expect(served.length).toBeGreaterThan(ids.length / 2);
  },
);
