/**
 * The destination's say over the requests of one connection. While nobody has said anything, it is the comparison of two numbers.
 * @module
 */

import type { Admission, Denial, Place } from '../http/request-guard.ts';
import type { Head } from '../http1/grammar/head.ts';
import type { Call } from '../inbound/call.ts';
import type { AdmissionContext, Gate } from './gates.ts';

/** The calls of one connection to one port of this node. */
export class CallAdmission implements Admission {
  readonly #call: Call;
  readonly #context: AdmissionContext;
  #gate: Gate | undefined = undefined;
  #version = 0;
  #labelsVersion = -1;

  constructor(call: Call, context: AdmissionContext) {
    this.#call = call;
    this.#context = context;
  }

  enter(head: Head): Place | Denial | undefined {
    const { world, access } = this.#context;
    const { traffic } = world;
    if (traffic.version !== this.#version) this.#look();
    if (!traffic.hasAdmission) return undefined;
    if (this.#gate?.isClosed || access.callerLabels.version !== this.#labelsVersion) this.#look();
    return this.#gate?.enter(head);
  }

  #look(): void {
    const { world, access } = this.#context;
    this.#version = world.traffic.version;
    this.#labelsVersion = access.callerLabels.version;
    this.#gate = this.#call.target.gates.of(this.#call, this.#context);
  }
}
