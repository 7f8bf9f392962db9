/**
 * The side that answers: topics by name, and the parts of long answers until they are fetched.
 *
 * Bounded: 16 questions are answered at once, more are refused; parts wait for 10 s and take 16 MB at most, the oldest give way.
 * Who asks was admitted to the mesh by gossip, which bounds how often one member may.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { messageOf } from '../errors.ts';
import { decodeQuery, encodeAnswer, encodeReply, PART_BYTES, type QueryMessage, type QueryReply } from './messages.ts';
import type { Topic } from './shapes.ts';

const MAX_ANSWERING = 16;
const MAX_KEPT_BYTES = 16 * 1024 * 1024;
const KEPT_MS = 10_000;

interface Kept {
  readonly caller: string;
  readonly bytes: Uint8Array;
  readonly timer: NodeJS.Timeout;
  /** Parts not fetched yet. */
  readonly left: Set<number>;
}

export class QueryDesk implements Disposable {
  readonly #topics = new Map<string, Topic<unknown, unknown>>();
  readonly #kept = new Map<string, Kept>();
  #keptBytes = 0;
  #answering = 0;

  /** @throws where a topic of this name is offered already */
  offer<Q, A>(topic: Topic<Q, A>): void {
    if (this.#topics.has(topic.name)) throw new Error(`topic ${topic.name} is offered twice`);
    this.#topics.set(topic.name, topic as Topic<unknown, unknown>);
  }

  topic(name: string): Topic<unknown, unknown> | undefined {
    return this.#topics.get(name);
  }

  /** As this node answers itself. Rejects with what to tell whoever asked. */
  async answer(name: string, question: unknown): Promise<unknown> {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw new Error(`this node knows nothing of ${name}`);
    const checked = topic.question.safeParse(question);
    if (!checked.success) throw new Error(`${name}: ${checked.error.issues[0]?.message ?? 'not a question'}`);
    return topic.answer(checked.data);
  }

  /** To a member. Never rejects. */
  async reply(caller: string, bytes: Uint8Array): Promise<Uint8Array> {
    const message = decodeQuery(bytes);
    return encodeReply(
      message === undefined ? refused('not a question that this version knows') : await this.#reply(caller, message),
    );
  }

  [Symbol.dispose](): void {
    for (const id of this.#kept.keys()) this.#drop(id);
  }

  async #reply(caller: string, message: QueryMessage): Promise<QueryReply> {
    if (message.kind === 'part') return this.#part(caller, message.id, message.part);
    if (this.#answering >= MAX_ANSWERING) return refused('busy');
    this.#answering++;
    try {
      const answer = await this.answer(message.topic, message.question);
      const bytes = await encodeAnswer(answer, this.#topics.get(message.topic)?.codec);
      const parts = Math.ceil(bytes.length / PART_BYTES);
      const id = parts === 1 ? '' : this.#keep(caller, bytes, parts);
      return { kind: 'part', id, parts, bytes: bytes.subarray(0, PART_BYTES) };
    } catch (err) {
      return refused(messageOf(err));
    } finally {
      this.#answering--;
    }
  }

  #keep(caller: string, bytes: Uint8Array, parts: number): string {
    for (const oldest of this.#kept.keys()) {
      if (this.#keptBytes + bytes.length <= MAX_KEPT_BYTES) break;
      this.#drop(oldest);
    }
    const id = randomBytes(8).toString('hex');
    const timer = setTimeout(() => this.#drop(id), KEPT_MS).unref();
    this.#kept.set(id, { caller, bytes, timer, left: new Set(Array.from({ length: parts - 1 }, (_, i) => i + 1)) });
    this.#keptBytes += bytes.length;
    return id;
  }

  #part(caller: string, id: string, part: number): QueryReply {
    const kept = this.#kept.get(id);
    if (kept === undefined || kept.caller !== caller) return refused('no such answer, or it waited too long');
    const parts = Math.ceil(kept.bytes.length / PART_BYTES);
    if (part >= parts) return refused('no such part');
    kept.left.delete(part);
    if (kept.left.size === 0) this.#drop(id);
    return { kind: 'part', id, parts, bytes: kept.bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES) };
  }

  #drop(id: string): void {
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    clearTimeout(kept.timer);
    this.#kept.delete(id);
    this.#keptBytes -= kept.bytes.length;
  }
}

function refused(why: string): QueryReply {
  return { kind: 'refused', why };
}
