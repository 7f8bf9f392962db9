/** A running agent as its successor is answered: it tells what it holds, lets go of its state, and drains. @module */
import type { Logger } from 'pino';
import type { AgentDocuments } from '../documents/agent-documents.ts';
import { AgentError } from '../errors.ts';
import type { Lifetimes } from '../parts/lifetimes.ts';
import type { Running } from '../running.ts';
import { FORMAT, type Inheritance, listensOf } from './inheritance.ts';
import type { HandOver } from './routes.ts';

export interface AgentHandOverOptions {
  readonly running: Running;
  readonly documents: AgentDocuments;
  readonly lifetimes: Lifetimes;
  /** Ends this agent. */
  readonly stop: () => void;
  /** It cannot go on. */
  readonly failed: (err: Error) => void;
  readonly log: Logger;
}

/** An agent that has handed over answers one more request on idle connections, within this. */
const LAST_REQUEST_MS = 5_000;
/** A successor that let go of us has this long to be ready; it takes a few seconds. */
const SUCCESSION_MS = 60_000;

export class AgentHandOver implements HandOver {
  readonly #options: AgentHandOverOptions;
  /** From the moment on at which a successor has all but the data plane. */
  #isYielded = false;

  constructor(options: AgentHandOverOptions) {
    this.#options = options;
  }

  inheritance(): Inheritance {
    const { running, documents } = this.#options;
    return {
      format: FORMAT,
      node: running.node.name,
      trustDomain: running.node.trustDomain,
      pid: process.pid,
      listens: listensOf(running.config),
      endpoints: running.services.endpoints(),
      access: documents.access.rules,
      revocations: documents.revocations.entries(),
    };
  }

  async yield(): Promise<boolean> {
    if (this.#isYielded) return false;
    this.#isYielded = true;
    const { running, lifetimes, failed, log } = this.#options;
    const { enrolment, mesh, plane, config } = running;
    log.info('another agent takes over');
    lifetimes.serving.defer(() => plane.close(config.upgrade.drainMs, LAST_REQUEST_MS));
    await enrolment.handOver();
    await mesh.close(true);
    await lifetimes.state.disposeAsync();
    const abandoned = setTimeout(
      () => failed(new AgentError('WEFT_AGENT_TAKEOVER_ABANDONED', `no word in ${SUCCESSION_MS / 1_000} s`)),
      SUCCESSION_MS,
    );
    lifetimes.doors.defer(() => clearTimeout(abandoned));
    return true;
  }

  drain(): boolean {
    if (this.#isYielded) setImmediate(this.#options.stop); // after the answer is on its way
    return this.#isYielded;
  }
}
