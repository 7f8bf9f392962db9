/**
 * A member that was admitted and lies: it signs with its own key whatever it likes, and sends it to all it is linked to.
 * What it can not do is sign for others; everything here that pretends to is to be seen through.
 * @module
 */
import type { Accusation } from '../../gossip/members/standing.ts';
import { accusationStatement, aliveStatement } from '../../gossip/members/standing.ts';
import type { NodeRecord } from '../../gossip/records/record.ts';
import { recordStatement } from '../../gossip/records/record.ts';
import type { Message } from '../../gossip/wire/messages.ts';
import { fingerprint } from './pages.ts';
import { pick } from './random.ts';
import type { SimSigner } from './signer.ts';
import type { WeftProcess } from './weft-process.ts';
import type { World } from './world.ts';

const EVERY_MS = 250;
const CLAIMED = 3;
const FLOODED = 40;
const KEPT = 200;
/** 1 January 2100. */
const FAR_FUTURE_MS = 4_102_444_800_000;

export interface LiarOptions {
  readonly world: World;
  readonly process: WeftProcess;
  readonly signer: SimSigner;
  readonly chain: readonly Uint8Array[];
  /** When it tires. */
  readonly untilMs: number;
}

/** Makes the process lie from now on, beside what its honest core does. */
export function turnHostile(options: LiarOptions): void {
  const { world, process, untilMs } = options;
  const heard: Message[] = [];
  process.overheard = (message) => {
    const isWorthKeeping = message.kind !== 'ping' && message.kind !== 'ack' && !message.kind.startsWith('ae-');
    if (isWorthKeeping && heard.length < KEPT) heard.push(message);
  };
  let turn = 0;
  const lie = (): void => {
    if (process.state === 'ended' || world.nowMs >= untilMs) return;
    const victim = pick(world.running(), world.random);
    if (victim !== undefined && victim !== process) {
      for (const message of lies(options, victim as WeftProcess, turn++)) {
        for (const peer of process.peers()) process.say(peer, message);
      }
    }
    const replayed = pick(heard, world.random);
    if (replayed !== undefined) for (const peer of process.peers()) process.say(peer, replayed);
    world.queue.later(EVERY_MS, lie);
  };
  lie();
}

function lies({ world, process, signer, chain }: LiarOptions, victim: WeftProcess, turn: number): Message[] {
  const self = victim.core.members()[0]!;
  const subject = { name: victim.name, epoch: self.epoch, inc: 0 };
  switch (turn % 6) {
    case 0: // "I saw it die": an accusation of its own, again and again
      return [
        {
          kind: 'suspect',
          about: subject.name,
          epoch: subject.epoch,
          inc: 0,
          accusation: accusation(signer, subject, process.name),
        },
      ];
    case 1: {
      // "many saw it die": in the name of others
      const accusations = world
        .running()
        .filter((one) => one !== victim)
        .slice(0, CLAIMED)
        .map((one) => accusation(signer, subject, one.name));
      return [
        { kind: 'standing', name: victim.name, standing: { kind: 'dead', epoch: subject.epoch, inc: 0, accusations } },
      ];
    }
    case 2: // "it said it left"
      return [
        {
          kind: 'standing',
          name: victim.name,
          standing: { kind: 'left', epoch: subject.epoch, signature: new Uint8Array(71) },
        },
      ];
    case 3: {
      // "this is its new record, and I serve it"
      const record = forgedRecord(signer, chain, victim, process.name);
      const signature = signer.sign(aliveStatement('sim.example', victim.name, FAR_FUTURE_MS, 0));
      const standing = { kind: 'alive', epoch: FAR_FUTURE_MS, inc: 0, signature } as const;
      return [
        { kind: 'hello', page: { name: victim.name, standing, record, delta: null } },
        { kind: 'pages', pages: [{ name: victim.name, standing, record, delta: null }] },
      ];
    }
    case 4: {
      // "its endpoints changed": a delta that fits, with a signature that does not
      const text = fingerprint([...(process.shown.get(victim.name)?.endpoints.values() ?? [])]);
      return Array.from({ length: CLAIMED }, (_, i) => ({
        kind: 'delta',
        delta: {
          name: victim.name,
          epoch: self.epoch,
          from: 1 + i,
          to: 1_000 + i,
          gcVer: 0,
          meta: null,
          entries: [['w0/http', 1_000 + i, Buffer.from(text)]],
          signature: signer.sign(Buffer.from(text)),
        },
      }));
    }
    default: // noise: questions, vetoes, digests of a mesh that never was
      return Array.from({ length: FLOODED }, (_, i): Message => {
        if (i % 3 === 0) return { kind: 'ask', about: victim.name };
        if (i % 3 === 1) return { kind: 'veto', about: victim.name, epoch: self.epoch, forMs: 1e9 };
        const items = [{ name: `ghost${i}`, epoch: FAR_FUTURE_MS, ver: 9, inc: 0, rank: 0 }];
        return { kind: 'ae-digest', buckets: Array.from({ length: 256 }, (__, bucket) => bucket), items, answer: true };
      });
  }
}

/** In the name of `by`, with the liar's signature. */
function accusation(signer: SimSigner, subject: { name: string; epoch: number; inc: number }, by: string): Accusation {
  return { by, cause: 'refused', signature: signer.sign(accusationStatement('sim.example', subject, by, 'refused')) };
}

function forgedRecord(signer: SimSigner, chain: readonly Uint8Array[], victim: WeftProcess, liar: string): NodeRecord {
  const unsigned = {
    name: victim.name,
    epoch: FAR_FUTURE_MS,
    ver: 7,
    gcVer: 0,
    meta: { schema: 1, address: `${liar}:1`, chain },
    entries: new Map(),
  };
  return { ...unsigned, signature: signer.sign(recordStatement('sim.example', unsigned, signer)) };
}
