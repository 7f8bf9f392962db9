/**
 * Who calls the Workload API, by what the kernel keeps of the connection and never by what the caller says.
 *
 * A program in a namespace of its own is known by that namespace, as its traffic is; one on the host by its user, as
 * enrolment has it. No process is looked up: one that ended and left its pid to another could be mistaken for it.
 * @module
 */
import { SystemCallError } from '../capture/errors.ts';
import type { Linux, UnixPeer } from '../capture/linux.ts';
import type { Unit } from '../enrolment/unit.ts';
import type { Workload } from '../workloads/workload.ts';

export interface EnrolledUnit {
  readonly unit: Pick<Unit, 'namespace'>;
  readonly workloads: readonly Workload[];
}

export class Callers {
  readonly #linux: Linux;
  /** The namespace of the agent itself, where a caller is more than its namespace. */
  readonly #home: bigint;
  /** By unit object: a namespace that is replaced under one name makes a new unit. */
  readonly #cookies = new WeakMap<EnrolledUnit['unit'], bigint>();

  /** @throws SystemCallError where the kernel does not tell namespaces apart, before Linux 5.14 */
  constructor(linux: Linux) {
    this.#linux = linux;
    this.#home = linux.namespaceCookie(linux.home);
  }

  /** One caller, one key: what limits count by, and what `workloads` are found under. */
  keyOf({ namespaceCookie, uid }: UnixPeer): string {
    return namespaceCookie === this.#home ? `user ${uid}` : `namespace ${namespaceCookie}`;
  }

  /** The workloads that each caller is. */
  workloads(units: readonly EnrolledUnit[]): ReadonlyMap<string, readonly Workload[]> {
    const known = units.flatMap(({ unit, workloads }) =>
      workloads.flatMap((workload) => {
        const key = this.#keyOfWorkload(unit, workload);
        return key === undefined ? [] : [{ key, workload }];
      }),
    );
    const groups = Map.groupBy(known, ({ key }) => key);
    return new Map([...groups].map(([key, entries]) => [key, entries.map(({ workload }) => workload)]));
  }

  /** On the host every program shares one namespace, so that a workload without a user could be anybody. */
  #keyOfWorkload(unit: EnrolledUnit['unit'], { runs }: Workload): string | undefined {
    if (runs.kind === 'host') return runs.uid === undefined ? undefined : `user ${runs.uid}`;
    const cookie = this.#cookieOf(unit);
    return cookie === undefined ? undefined : `namespace ${cookie}`;
  }

  /** undefined where the namespace cannot be entered now: its programs are nobody until the next look. */
  #cookieOf(unit: EnrolledUnit['unit']): bigint | undefined {
    const known = this.#cookies.get(unit);
    if (known !== undefined || unit.namespace === undefined) return known;
    try {
      const cookie = this.#linux.namespaceCookie(unit.namespace);
      this.#cookies.set(unit, cookie);
      return cookie;
    } catch (err) {
      if (err instanceof SystemCallError) return undefined;
      throw err;
    }
  }
}
