/**
 * Asks all nodes of the mesh, over gossip's calls, and answers them. Who is not alive is not asked but named, and so is who
 * does not answer in time: an answer about the mesh always says what it lacks.
 *
 * At most 64 questions are under way; one more is answered by nobody, and says so as `refused`.
 * @module
 */
import type { Caller } from '../../gossip/libp2p/calls.ts';
import type { GossipStats, Member } from '../../gossip/view.ts';
import { QueryDesk } from './desk.ts';
import { Lane } from './lane.ts';
import { decodeAnswer, decodeReply, encodeQuery, isQuery, type QueryMessage, type QueryReply } from './messages.ts';
import type { AskOptions, Coverage, MeshAnswers, MeshQuery, Topic, TopicName } from './shapes.ts';

const TIMEOUT_MS = 1_000;
const MAX_ASKING = 64;

/** What it needs of the mesh thread. */
export interface QueriedMesh {
  members(): readonly Member[];
  stats(): Promise<Pick<GossipStats, 'peers'>>;
  call(to: string, question: Uint8Array): Promise<Uint8Array>;
}

export interface MeshQueriesOptions {
  readonly node: string;
  /** Undefined until there is one: then only this node answers. */
  readonly mesh: () => QueriedMesh | undefined;
}

type Missing = Coverage['missing'][number];
type Outcome<A> = { readonly answer: A } | { readonly reason: Missing['reason'] };

export class MeshQueries implements MeshQuery, Disposable {
  readonly #options: MeshQueriesOptions;
  readonly #desk = new QueryDesk();
  readonly #lanes = new Map<string, Lane>();
  /** Endpoints of each node when it was last alive: of those that are not, gossip counts none. */
  #had = new Map<string, number>();
  #asking = 0;

  constructor(options: MeshQueriesOptions) {
    this.#options = options;
  }

  offer<Q, A>(topic: Topic<Q, A>): void {
    this.#desk.offer(topic);
  }

  /** The list of members changed. */
  members(members: readonly Member[]): void {
    this.#had = new Map(
      members.map(({ name, state, endpoints }) => [
        name,
        state === 'alive' ? endpoints : (this.#had.get(name) ?? endpoints),
      ]),
    );
  }

  /** @returns undefined where it is no question for this place */
  answer(caller: Pick<Caller, 'name'>, question: Uint8Array): Promise<Uint8Array> | undefined {
    return isQuery(question) ? this.#desk.reply(caller.name, question) : undefined;
  }

  async ask<Q, A>(topic: TopicName<A>, question: Q, options: AskOptions = {}): Promise<MeshAnswers<A>> {
    const members = this.#options.mesh()?.members() ?? [];
    const asked = this.#asked(members, options.nodes);
    const isOver = this.#asking >= MAX_ASKING;
    this.#asking++;
    try {
      const outcomes = await Promise.all(
        asked.map(async (name): Promise<[string, Outcome<A>]> => {
          if (isOver) return [name, { reason: 'refused' }];
          return [name, await this.#askOne(name, members, { topic, question, options })];
        }),
      );
      return await this.#collected(outcomes, members);
    } finally {
      this.#asking--;
      for (const [name, lane] of this.#lanes) if (lane.isIdle && !has(members, name)) this.#lanes.delete(name);
    }
  }

  [Symbol.dispose](): void {
    this.#desk[Symbol.dispose]();
  }

  /** Who left did so in good order, and is missed by nobody. */
  #asked(members: readonly Member[], nodes: readonly string[] | undefined): readonly string[] {
    if (nodes !== undefined) return [...new Set(nodes)];
    const others = members.filter(({ isSelf, state }) => !isSelf && state !== 'left').map(({ name }) => name);
    return [this.#options.node, ...others];
  }

  async #askOne<A>(
    name: string,
    members: readonly Member[],
    { topic, question, options }: { topic: TopicName<A>; question: unknown; options: AskOptions },
  ): Promise<Outcome<A>> {
    const state = members.find((member) => member.name === name)?.state;
    const isSelf = name === this.#options.node;
    if (!isSelf && state !== 'alive' && state !== 'suspect') return { reason: 'silent' };
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), options.timeoutMs ?? TIMEOUT_MS);
    try {
      const answer = isSelf
        ? this.#desk.answer(topic.name, question)
        : this.#read(topic, await this.#fetch(name, { kind: 'ask', topic: topic.name, question }, late.signal));
      return { answer: (await withIn(answer, late.signal)) as A };
    } catch {
      if (!late.signal.aborted) return { reason: 'refused' };
      return { reason: state === 'suspect' ? 'silent' : 'late' };
    } finally {
      clearTimeout(timer);
    }
  }

  async #read<A>(topic: TopicName<A>, bytes: Uint8Array): Promise<unknown> {
    const offered = this.#desk.topic(topic.name);
    const codec = topic.codec ?? offered?.codec;
    if (codec !== undefined) return decodeAnswer(bytes, codec);
    const answer = await decodeAnswer(bytes);
    const schema = topic.answerSchema ?? offered?.answerSchema;
    return schema === undefined ? answer : schema.parse(answer);
  }

  async #fetch(name: string, message: QueryMessage, signal: AbortSignal): Promise<Uint8Array> {
    const first = await this.#call(name, message, signal);
    const { id, parts } = first;
    const rest = Array.from({ length: parts - 1 }, (_, i) =>
      this.#call(name, { kind: 'part', id, part: i + 1 }, signal),
    );
    const bytes = [first, ...(await Promise.all(rest))].map((part) => part.bytes);
    return bytes.length === 1 ? bytes[0]! : Buffer.concat(bytes);
  }

  async #call(
    name: string,
    message: QueryMessage,
    signal: AbortSignal,
  ): Promise<Extract<QueryReply, { kind: 'part' }>> {
    const lane = this.#lanes.get(name) ?? new Lane();
    this.#lanes.set(name, lane);
    const mesh = this.#options.mesh();
    if (mesh === undefined) throw new Error('no mesh');
    const question = encodeQuery(message);
    const reply = decodeReply(await lane.call(() => mesh.call(name, question), signal));
    if (reply?.kind !== 'part') throw new Error(reply?.why ?? 'an answer that this version does not know');
    return reply;
  }

  async #collected<A>(outcomes: readonly [string, Outcome<A>][], members: readonly Member[]): Promise<MeshAnswers<A>> {
    const answers = new Map<string, A>();
    const failed: [string, Missing['reason']][] = [];
    for (const [name, outcome] of outcomes) {
      if ('answer' in outcome) answers.set(name, outcome.answer);
      else failed.push([name, outcome.reason]);
    }
    const missing = failed.length === 0 ? [] : await this.#missing(failed, members);
    return { answers, coverage: { asked: outcomes.length, answered: answers.size, missing } };
  }

  /** A node linked to this one was heard when gossip says so; another no later than it came into its state. */
  async #missing(failed: readonly [string, Missing['reason']][], members: readonly Member[]): Promise<Missing[]> {
    const stats = await this.#options
      .mesh()
      ?.stats()
      .catch(() => undefined);
    return failed.map(([node, reason]) => {
      const member = members.find(({ name }) => name === node);
      const heardAgoMs = stats?.peers.find(({ name }) => name === node)?.heardAgoMs;
      const sinceMs = member === undefined || member.state === 'alive' ? null : member.sinceMs;
      return {
        node,
        reason,
        lastHeardMs: heardAgoMs === undefined ? sinceMs : Math.round(Date.now() - heardAgoMs),
        endpoints: this.#had.get(node) ?? member?.endpoints ?? 0,
      };
    });
  }
}

function has(members: readonly Member[], name: string): boolean {
  return members.some((member) => member.name === name);
}

/** Rejects when `signal` aborts before the promise is settled. */
function withIn<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  if (signal.aborted) reject(signal.reason);
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  return Promise.race([promise, aborted]);
}
