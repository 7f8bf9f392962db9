/**
 * Is each member that we watch there? One watch per subject: ping it; when acks stop, ask others who watch it; when they
 * know nothing either, try its port. Only what the port does decides: a dead process refuses, a stalled one accepts.
 *
 * The steps are those of research on SWIM (Das et al., DSN 2002) with Lifeguard's local health multiplier
 * (arXiv:1707.00788, LHA-Probe), changed for observers that are fixed instead of random. The detector blames nobody by
 * itself: it accuses, and membership.ts decides what an accusation is worth.
 * @module
 */
import type { Context, ProbeOutcome, Timer } from '../effects.ts';
import { arm, disarm, sample, send } from '../effects.ts';
import type { Cause } from './standing.ts';

export interface DetectorHost {
  isLinked(name: string): boolean;
  addressOf(name: string): string | undefined;
  /** Others that watch this member and that we can ask. */
  coObservers(name: string): string[];
  accuse(name: string, cause: Cause): void;
  /** It accepts connections but does not answer. */
  unresponsive(name: string): void;
  /** It answered after we had doubted it. */
  recovered(name: string): void;
}

/** How a doubt proceeds: none; asking co-observers; a probe is out; waiting for the next probe. */
type Phase = 'ok' | 'asking' | 'probing' | 'waiting';

interface Watch {
  phase: Phase;
  seq: number;
  /** When the oldest unanswered ping went out; undefined = nothing outstanding. */
  awaitingSinceMs: number | undefined;
  /** When anything last came from it. */
  heardAtMs: number;
  /** Since when there is no link; undefined = there is one. */
  unlinkedSinceMs: number | undefined;
  /** Co-observers that were asked and have not answered. */
  unanswered: number;
  /** Probes in a row that were refused. */
  refusals: number;
  /** Since when its port accepts while it stays mute. */
  muteSinceMs: number | undefined;
}

const ASKED = 3;
/** Share of the ping interval in which a member that spoke need not be pinged: of two that watch each other one pings. */
const SPOKE_RECENTLY = 0.6;
const REDIAL_MS = 100;
const NEXT_PROBE_MS = 1_000;
const MAX_HEALTH = 8;

export class Detector {
  readonly #context: Context;
  readonly #host: DetectorHost;
  readonly #watches = new Map<string, Watch>();
  /** Lifeguard's local health multiplier: how much slower than usual we ourselves are, 0 to 8. */
  #health = 0;

  constructor(context: Context, host: DetectorHost) {
    this.#context = context;
    this.#host = host;
  }

  get health(): number {
    return this.#health;
  }

  /** From now on watches exactly these. */
  watch(subjects: ReadonlySet<string>): void {
    for (const name of this.#watches.keys()) if (!subjects.has(name)) this.#unwatch(name);
    for (const name of subjects) {
      if (this.#watches.has(name)) continue;
      this.#watches.set(name, {
        phase: 'ok',
        seq: 0,
        awaitingSinceMs: undefined,
        heardAtMs: Number.NEGATIVE_INFINITY,
        unlinkedSinceMs: this.#host.isLinked(name) ? undefined : this.#context.nowMs,
        unanswered: 0,
        refusals: 0,
        muteSinceMs: undefined,
      });
      arm(this.#context, 'ping', name, this.#context.random() * this.#context.settings.pingIntervalMs);
      if (!this.#host.isLinked(name)) this.#dial(name);
    }
  }

  isWatching(name: string): boolean {
    return this.#watches.has(name);
  }

  /** Time since we last heard from this member; undefined when we never did or it is not ours to watch. */
  ageMs(name: string): number | undefined {
    const last = this.#watches.get(name)?.heardAtMs;
    return last === undefined || last === Number.NEGATIVE_INFINITY ? undefined : this.#context.nowMs - last;
  }

  linkUp(name: string): void {
    const watch = this.#watches.get(name);
    if (watch === undefined) return;
    watch.unlinkedSinceMs = undefined;
    this.#ping(name, watch);
  }

  linkDown(name: string): void {
    const watch = this.#watches.get(name);
    if (watch === undefined) return;
    watch.unlinkedSinceMs = this.#context.nowMs;
    this.#forgetPing(watch);
    this.#dial(name);
    if (watch.phase === 'ok' || watch.phase === 'asking') this.#probe(name, watch);
  }

  /** Anything at all came from it. An answer to a ping says as well that we are not slow ourselves. */
  heard(name: string, isAck: boolean): void {
    const watch = this.#watches.get(name);
    if (watch === undefined) return;
    if (isAck) this.#health = Math.max(0, this.#health - 0.25);
    watch.heardAtMs = this.#context.nowMs;
    this.#forgetPing(watch);
    if (watch.phase === 'ok') return;
    this.#clear(name, watch);
    this.#host.recovered(name);
  }

  /** A co-observer's answer about a member we doubt. */
  told(name: string, ageMs: number | null): void {
    const watch = this.#watches.get(name);
    if (watch?.phase !== 'asking') return;
    if (ageMs === null || ageMs > this.#context.settings.freshMs) {
      if (--watch.unanswered > 0) return;
      disarm(this.#context, 'ask', name);
      this.#probe(name, watch); // nobody knows better: no use in waiting
      return;
    }
    this.#clear(name, watch); // it is our link that is bad, not the member
    this.#forgetPing(watch);
  }

  /** Another observer gave up on it: look for ourselves now, unless we have just heard from it. */
  doubt(name: string): void {
    const watch = this.#watches.get(name);
    if (watch === undefined) return;
    const isFresh = (this.ageMs(name) ?? Number.POSITIVE_INFINITY) <= this.#context.settings.freshMs;
    if (watch.phase === 'ok' && (!isFresh || !this.#host.isLinked(name))) this.#ask(name, watch);
  }

  probed(name: string, outcome: ProbeOutcome): void {
    const watch = this.#watches.get(name);
    if (watch?.phase !== 'probing') return;
    watch.phase = 'waiting';
    if (outcome === 'refused') {
      watch.refusals++;
      arm(this.#context, 'again', name, watch.refusals < 2 ? REDIAL_MS : NEXT_PROBE_MS);
      if (watch.refusals >= 2) this.#host.accuse(name, 'refused');
      return;
    }
    watch.refusals = 0;
    if (outcome === 'silent') {
      arm(this.#context, 'again', name, NEXT_PROBE_MS);
      this.#host.accuse(name, 'silent');
    } else {
      this.#mute(name, watch);
    }
  }

  fired(timer: Timer): void {
    const name = timer.about;
    const watch = this.#watches.get(name);
    if (watch === undefined) return;
    if (timer.kind === 'ping') this.#pingDue(name, watch);
    else if (timer.kind === 'ack' && watch.awaitingSinceMs !== undefined) this.#ask(name, watch);
    else if (timer.kind === 'ask' && watch.phase === 'asking') this.#probe(name, watch);
    else if (timer.kind === 'again' && watch.phase === 'waiting') this.#again(name, watch);
  }

  /** We stood still: whatever seems overdue may lie unread. Start every doubt over, and trust ourselves less. */
  stalled(): void {
    this.#health = Math.min(MAX_HEALTH, this.#health + 2);
    for (const [name, watch] of this.#watches) {
      this.#forgetPing(watch);
      this.#clear(name, watch);
      if (watch.unlinkedSinceMs !== undefined) watch.unlinkedSinceMs = this.#context.nowMs;
    }
  }

  /** Where nothing answered at all, the path may be at fault: others know better, and it costs no refutation. */
  #again(name: string, watch: Watch): void {
    const hasAnswered = watch.refusals > 0 || watch.muteSinceMs !== undefined;
    if (hasAnswered) this.#probe(name, watch);
    else this.#ask(name, watch);
  }

  #pingDue(name: string, watch: Watch): void {
    const { nowMs, settings } = this.#context;
    arm(this.#context, 'ping', name, settings.pingIntervalMs);
    if (watch.unlinkedSinceMs === undefined) {
      const spokeRecently = nowMs - watch.heardAtMs < SPOKE_RECENTLY * settings.pingIntervalMs;
      if (watch.phase !== 'ok' || !spokeRecently) this.#ping(name, watch);
      return;
    }
    this.#dial(name);
    const unlinkedMs = nowMs - watch.unlinkedSinceMs;
    if (watch.phase === 'ok' && unlinkedMs >= settings.ackTimeoutMs) this.#ask(name, watch);
  }

  #ping(name: string, watch: Watch): void {
    watch.seq++;
    send(this.#context, name, { kind: 'ping', seq: watch.seq });
    if (watch.phase !== 'ok' || watch.awaitingSinceMs !== undefined) return;
    const { nowMs, settings } = this.#context;
    watch.awaitingSinceMs = nowMs;
    // A ping that was put off must not put off the verdict: what it is late by comes off the wait, up to half of that.
    const lateMs = (this.ageMs(name) ?? 0) - settings.pingIntervalMs;
    const timeoutMs = settings.ackTimeoutMs - Math.min(settings.ackTimeoutMs / 2, Math.max(0, lateMs));
    arm(this.#context, 'ack', name, timeoutMs * (1 + this.#health));
  }

  #ask(name: string, watch: Watch): void {
    const asked = sample(this.#host.coObservers(name), ASKED, this.#context.random);
    if (asked.length === 0) {
      this.#probe(name, watch);
      return;
    }
    watch.phase = 'asking';
    watch.unanswered = asked.length;
    for (const peer of asked) send(this.#context, peer, { kind: 'ask', about: name });
    arm(this.#context, 'ask', name, this.#context.settings.askTimeoutMs);
  }

  #probe(name: string, watch: Watch): void {
    const address = this.#host.addressOf(name);
    if (address === undefined) return;
    watch.phase = 'probing';
    this.#context.stats.probes++;
    this.#context.out.push({ kind: 'probe', about: name, address, purpose: 'detect' });
  }

  /**
   * Its port accepts. With a link it is a stall. Without one it may be a restart, or a process that is being killed: the
   * kernel resets its connections before it closes its port. Either deserves a moment, and soon another look.
   */
  #mute(name: string, watch: Watch): void {
    const { nowMs, settings } = this.#context;
    watch.muteSinceMs ??= nowMs;
    const muteMs = nowMs - watch.muteSinceMs;
    const isInBetween = !this.#host.isLinked(name) && muteMs < NEXT_PROBE_MS;
    arm(this.#context, 'again', name, isInBetween ? REDIAL_MS : NEXT_PROBE_MS);
    if (muteMs >= settings.stallMaxMs) this.#host.accuse(name, 'stalled');
    else if (!isInBetween) this.#host.unresponsive(name);
  }

  #dial(name: string): void {
    const address = this.#host.addressOf(name);
    if (address !== undefined) this.#context.out.push({ kind: 'dial', to: name, address });
  }

  #forgetPing(watch: Watch): void {
    // Its timer stays: the next ping moves it, and fired without a ping outstanding it means nothing.
    watch.awaitingSinceMs = undefined;
  }

  #clear(name: string, watch: Watch): void {
    if (watch.phase === 'asking') disarm(this.#context, 'ask', name);
    if (watch.phase === 'waiting') disarm(this.#context, 'again', name);
    watch.phase = 'ok';
    watch.refusals = 0;
    watch.muteSinceMs = undefined;
  }

  #unwatch(name: string): void {
    const watch = this.#watches.get(name)!;
    disarm(this.#context, 'ack', name);
    this.#clear(name, watch);
    disarm(this.#context, 'ping', name);
    this.#watches.delete(name);
  }
}
