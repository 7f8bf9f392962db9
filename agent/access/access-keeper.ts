/**
 * Access documents on this node: the policies and the mesh's own settings in use, put together for the data plane.
 *
 * Changes go to the workers in bursts (agent/burst.ts): listeners open on the rules that were in use.
 *
 * Time rules need a clock. Where that of this node is off, they are not evaluated: see clock.ts.
 * @module
 */
import type { Logger } from 'pino';
import type { AccessPolicy, AccessRules } from '../../proxy/access/policy.ts';
import { Burst } from '../burst.ts';
import type { CompiledAccessPolicy } from '../documents/access-policy.ts';
import type { DocumentConsumer } from '../documents/kind.ts';
import { type MeshAccess, OPEN_MESH } from '../documents/mesh-config.ts';
import { hasTimeRules, MAX_SKEW_MS, withoutClock } from './clock.ts';

export interface AccessKeeperOptions {
  /** Takes all rules, each time something changed. */
  readonly changed: (rules: AccessRules) => void;
  readonly log: Pick<Logger, 'error' | 'info'>;
  readonly nowMs?: () => number;
}

export class AccessKeeper implements DocumentConsumer, Disposable {
  readonly kind = 'AccessPolicy';
  readonly #options: AccessKeeperOptions;
  /** By id, 'namespace/name'. */
  readonly #policies = new Map<string, AccessPolicy>();
  #mesh: MeshAccess = OPEN_MESH;
  #skewMs = 0;
  #rules: AccessRules = { policies: [], ...OPEN_MESH };
  readonly #burst = new Burst(() => this.#tell());

  constructor(options: AccessKeeperOptions) {
    this.#options = options;
  }

  /** What the data plane goes by, or will in a moment. */
  get rules(): AccessRules {
    return this.#burst.isStale ? this.#compose() : this.#rules;
  }

  /** How far the clock of this node is off, when that is too far to evaluate time rules; else undefined. */
  get skewMs(): number | undefined {
    return Math.abs(this.#skewMs) > MAX_SKEW_MS ? this.#skewMs : undefined;
  }

  activate(_key: unknown, value: unknown, revision: string): void {
    const policy = value as CompiledAccessPolicy; // what our own compile yielded
    this.#policies.set(policy.id, { ...policy, revision });
    this.#burst.changed();
  }

  deactivate({ namespace, name }: { readonly namespace: string; readonly name: string }): void {
    if (this.#policies.delete(`${namespace}/${name}`)) this.#burst.changed();
  }

  meshChanged(mesh: MeshAccess): void {
    this.#mesh = mesh;
    this.#burst.changed();
  }

  /** @param skewMs the clocks of the others less that of this node, as most of them see it; 0 where nobody is there to ask */
  clockCompared(skewMs: number): void {
    const { log } = this.#options;
    const wasOff = this.skewMs !== undefined;
    this.#skewMs = skewMs;
    const isOff = this.skewMs !== undefined;
    if ((!isOff && !wasOff) || !hasTimeRules(this.#written())) return;
    if (isOff && !wasOff) log.error({ skewMs }, 'the clock is off: rules with a time count as closed or refuse');
    if (wasOff && !isOff) log.info({ skewMs }, 'the clock is right again: rules with a time are evaluated');
    this.#burst.changed(); // while it stays off as well: what is near moves on
  }

  /** All that was in use before this start is in: from now on the data plane is told. */
  open(): void {
    this.#burst.open();
  }

  [Symbol.dispose](): void {
    this.#burst[Symbol.dispose]();
  }

  #tell(): void {
    this.#rules = this.#compose();
    this.#options.changed(this.#rules);
  }

  #compose(): AccessRules {
    const { skewMs } = this;
    const { nowMs = Date.now } = this.#options;
    return skewMs === undefined ? this.#written() : withoutClock(this.#written(), nowMs(), skewMs);
  }

  #written(): AccessRules {
    return { policies: [...this.#policies.values()], ...this.#mesh };
  }
}
