/**
 * The running agent of this node as its successor sees it. Until `yield` nothing of it has changed, and a successor that
 * fails may just end; so all that can be tried is tried before.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { answersOn, HttpListener } from '../admin/listen.ts';
import type { AgentPlace } from '../cli/agent-place.ts';
import { call } from '../cli/client.ts';
import type { AgentConfig } from '../config.ts';
import type { EnrolledView } from '../enrolment/enrolment.ts';
import { AgentError, messageOf } from '../errors.ts';
import { HeldPort } from './held-port.ts';
import { FORMAT, type Inheritance, listensOf } from './inheritance.ts';
import { TAKEOVER } from './routes.ts';

/** How long workloads that the predecessor holds ready may take to be so here. Whoever is not is lost to callers until it is. */
const READY_MS = 60_000;
const LOOK_MS = 50;

export class Predecessor implements AsyncDisposable {
  readonly inheritance: Inheritance;
  readonly #place: AgentPlace;
  #gossipPort: HeldPort | undefined;

  private constructor(place: AgentPlace, inheritance: Inheritance) {
    this.#place = place;
    this.inheritance = inheritance;
  }

  /**
   * @returns undefined when no agent runs there, and there is nothing to take over
   * @throws AgentError when it is another node's, or of a version that cannot hand over to this one
   */
  static async find({ admin }: AgentConfig, owner: { name: string; trustDomain: string }, log: Logger) {
    if (!(await answersOn(admin.socket))) {
      log.info({ socket: admin.socket }, 'no agent runs here, nothing is taken over');
      return undefined;
    }
    const place: AgentPlace = { kind: 'socket', path: admin.socket };
    const inheritance = await call<Inheritance>(place, { method: 'GET', path: TAKEOVER.inheritance }).catch(
      (err: unknown) => refuse(`it cannot hand over (${messageOf(err)})`, err),
    );
    const { format, node, trustDomain } = inheritance;
    if (format !== FORMAT) refuse(`it hands over in format ${format}, and this version takes ${FORMAT}`);
    if (node !== owner.name || trustDomain !== owner.trustDomain) refuse(`it is ${node} of ${trustDomain}`);
    return new Predecessor(place, inheritance);
  }

  /** Whether this node may listen where its configuration says, as far as that is elsewhere than before. @throws AgentError */
  async checkListens(config: AgentConfig): Promise<void> {
    for (const [setting, listen] of Object.entries(listensOf(config))) {
      if (listen === this.inheritance.listens[setting]) continue;
      const listener = await HttpListener.onAddress(listen, setting, () => {});
      await listener.close();
    }
  }

  /** Resolves when every workload that is ready there is ready here. @throws AgentError when one cannot be brought in */
  async untilServing(view: () => readonly EnrolledView[], log: Logger, signal: AbortSignal): Promise<void> {
    const { node, endpoints } = this.inheritance;
    const ready = new Set(
      endpoints.flatMap((one) =>
        one.node === node && one.state === 'ready' ? [`${one.namespace}/${one.workload}`] : [],
      ),
    );
    const untilMs = performance.now() + READY_MS;
    const missing = (): readonly EnrolledView[] =>
      view().filter(({ workload, state }) => ready.has(workload.id) && state !== 'ready');
    while (missing().length > 0 && performance.now() < untilMs) await delay(LOOK_MS, undefined, { signal });
    for (const { workload, address, detail } of missing()) {
      if (address === '') refuse(`${workload.id} cannot be brought in here: ${detail}`);
      log.warn({ workload: workload.id, detail }, 'workload is ready for the predecessor and not here');
    }
  }

  /** The predecessor lets go of all but the data plane. No peer finds the gossip port closed meanwhile. */
  async yield(gossipListen: string): Promise<void> {
    this.#gossipPort = await HeldPort.open(gossipListen);
    await call(this.#place, { method: 'POST', path: TAKEOVER.yield });
  }

  /** Gossip listens by itself now. */
  async releasePort(): Promise<void> {
    await this.#gossipPort?.[Symbol.asyncDispose]();
    this.#gossipPort = undefined;
  }

  /** The predecessor stops listening, lets open work end, and ends. */
  async drain(): Promise<void> {
    await call(this.#place, { method: 'POST', path: TAKEOVER.drain });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.releasePort();
  }
}

function refuse(subject: string, cause?: unknown): never {
  throw new AgentError('WEFT_AGENT_TAKEOVER_FAILED', subject, { cause });
}
