/** Carries out a scenario's steps on a world, at their times. @module */
import type { Convergence } from '../measure/convergence.ts';
import type { DiskContents, Host } from '../world/host.ts';
import { pick, shuffled } from '../world/random.ts';
import type { World } from '../world/world.ts';
import type { DocumentStep, DocumentSteps } from './document-steps.ts';
import type { Scenario, Step } from './schema.ts';

export interface PlayerOptions {
  readonly world: World;
  readonly scenario: Scenario;
  readonly convergence: Convergence;
  /** Undefined when no step needs it. */
  readonly documents: DocumentSteps | undefined;
  /** Turns a running host's agent into a liar. */
  readonly turnHostile: (host: Host) => void;
  /** For the report. */
  readonly noted: (text: string) => void;
}

type Who = { readonly count?: number | undefined; readonly share?: number | undefined } & {
  readonly hosts?: readonly string[] | undefined;
  readonly region?: string | undefined;
};

/** A fault that others may only now be noticing: views are not expected to agree before it has been dealt with. */
const UNSETTLING: ReadonlySet<Step['do']> = new Set(['crash', 'leave', 'partition', 'cut-pairs', 'one-way', 'stall']);
/** After these all views should come to agree, and how long that takes is measured. */
const SETTLING: ReadonlySet<Step['do']> = new Set(['heal', 'join', 'restart']);

export class Player {
  readonly #options: PlayerOptions;
  readonly #saved = new Map<Host, DiskContents | undefined>();

  readonly #isRunning = (host: Host): boolean => this.#options.world.processOn(host)?.state === 'running';

  constructor(options: PlayerOptions) {
    this.#options = options;
  }

  /** Plans all steps, counted from now. */
  start(): void {
    const { scenario, world } = this.#options;
    for (const step of scenario.steps) this.#plan(step, step.at * 1_000, 1);
    const { changesPerSecond } = scenario.workload;
    if (changesPerSecond > 0) this.#changeLater(1_000 / changesPerSecond, world.nowMs + scenario.seconds * 1_000);
  }

  #plan(step: Step, delayMs: number, turn: number): void {
    this.#options.world.queue.later(delayMs, () => {
      this.#play(step);
      if (step.every !== undefined && turn < step.times) this.#plan(step, step.every * 1_000, turn + 1);
    });
  }

  #changeLater(everyMs: number, endMs: number): void {
    const { world } = this.#options;
    if (world.nowMs + everyMs >= endMs) return;
    world.queue.later(everyMs, () => {
      for (const host of this.#choose({ count: 1 }, this.#isRunning)) world.change(host);
      this.#changeLater(everyMs, endMs);
    });
  }

  #play(step: Step): void {
    const { convergence } = this.#options;
    if (UNSETTLING.has(step.do)) convergence.dropWanted();
    const befallen = this.#befall(step);
    if (SETTLING.has(step.do)) convergence.wantAgreement();
    if (step.do !== 'change') this.#options.noted(described(step, befallen));
  }

  /** @returns the hosts it befell */
  #befall(step: Step): readonly Host[] {
    const { world } = this.#options;
    switch (step.do) {
      case 'crash':
        return this.#each(this.#choose(step, this.#isRunning), (host) => world.end(host, step.how));
      case 'leave':
        return this.#each(this.#choose(step, this.#isRunning), (host) => world.leave(host));
      case 'restart':
        return this.#restart(step);
      case 'join':
        return Array.from({ length: step.count ?? 1 }, () => {
          const host = world.addHost();
          world.boot(host);
          return host;
        });
      case 'stall': {
        const [shortest, longest] = step.seconds;
        return this.#each(this.#choose(step, this.#isRunning), (host) => {
          world.stall(host, 1_000 * (shortest + world.random() * (longest - shortest)));
        });
      }
      case 'partition':
        return this.#partition(step);
      case 'cut-pairs':
        return this.#cutPairs(step);
      case 'one-way':
        return this.#oneWay(step);
      case 'heal':
        world.network.heal();
        world.networkChanged();
        this.#options.convergence.awaitContact();
        return [];
      case 'loss':
        world.network.lossRatio = step.ratio;
        return [];
      case 'clock':
        return this.#each(
          this.#choose(step, () => true),
          (host) => {
            host.wallOffsetMs += step.jumpSeconds * 1_000;
            if (step.rate !== undefined) host.setClockRate(step.rate);
          },
        );
      case 'slow-disk':
        return this.#each(
          this.#choose(step, () => true),
          (host) => {
            host.disk.writeMs = step.writeSeconds * 1_000;
          },
        );
      case 'save-disks':
        return this.#each(
          this.#choose({ share: 1, ...step }, () => true),
          (host) => {
            this.#saved.set(host, host.disk.contents);
          },
        );
      case 'change':
        return this.#each(this.#choose(step, this.#isRunning), (host) => world.change(host));
      case 'turn-hostile':
        return this.#each(this.#choose(step, this.#isRunning), this.#options.turnHostile);
      case 'write-document':
      case 'delete-document':
      case 'forge-document':
      case 'save-documents':
      case 'restore-documents':
        return this.#document(step);
    }
  }

  #restart(step: Step & { do: 'restart' }): readonly Host[] {
    const { world } = this.#options;
    const isDown = (host: Host): boolean => world.processOn(host)?.state === 'ended';
    return this.#each(this.#choose(isEverybody(step) ? { share: 1 } : step, isDown), (host) => {
      if (step.disk === 'none') host.disk.contents = undefined;
      else if (step.disk === 'stale') host.disk.contents = this.#saved.get(host);
      world.boot(host);
    });
  }

  #partition({ shares, region }: Step & { do: 'partition' }): readonly Host[] {
    const { world } = this.#options;
    const groups = new Uint8Array(65_536);
    if (region !== undefined) {
      for (const host of world.hosts) groups[host.index] = host.region === region ? 1 : 0;
    } else {
      const order = shuffled(world.hosts, world.random);
      let from = 0;
      for (const [group, share] of (shares ?? [0.5, 0.5]).entries()) {
        const to = from + Math.round(share * order.length);
        for (const host of order.slice(from, to)) groups[host.index] = group;
        from = to;
      }
    }
    world.network.partition(groups);
    world.networkChanged();
    return world.hosts.filter((host) => groups[host.index] !== 0);
  }

  #cutPairs({ share, ways }: Step & { do: 'cut-pairs' }): readonly Host[] {
    const { world } = this.#options;
    world.network.heal();
    for (const a of world.hosts) {
      for (const b of world.hosts) {
        if (b.index >= a.index || world.random() >= share) continue;
        const isForth = ways === 'both' || world.random() < 0.5;
        if (isForth) world.network.cut(a, b);
        if (ways === 'both' || !isForth) world.network.cut(b, a);
      }
    }
    world.networkChanged();
    return [];
  }

  #oneWay(step: Step & { do: 'one-way' }): readonly Host[] {
    const { world } = this.#options;
    const chosen = this.#choose(step, this.#isRunning);
    for (const host of chosen) {
      for (const other of world.hosts) {
        if (other === host) continue;
        if (step.lose === 'sending') world.network.cut(host, other);
        else world.network.cut(other, host);
      }
    }
    world.networkChanged();
    return chosen;
  }

  #document(step: DocumentStep): readonly Host[] {
    const hosts = 'eachSide' in step && step.eachSide ? this.#oneOfEachSide() : this.#choose(step, this.#isRunning);
    this.#options.documents?.play(step, hosts);
    return hosts;
  }

  #oneOfEachSide(): readonly Host[] {
    const { world } = this.#options;
    const running = world.hosts.filter(this.#isRunning);
    const sides = Map.groupBy(running, (host) => host.side);
    return [...sides.values()].map((hosts) => pick(hosts, world.random)!);
  }

  #each(hosts: readonly Host[], act: (host: Host) => void): readonly Host[] {
    for (const host of hosts) act(host);
    return hosts;
  }

  #choose({ count, share, hosts, region }: Who, isFit: (host: Host) => boolean): readonly Host[] {
    const { world } = this.#options;
    const fit = world.hosts.filter(isFit);
    if (hosts !== undefined) return fit.filter(({ name }) => hosts.includes(name));
    if (region !== undefined) return fit.filter((host) => host.region === region);
    const wanted = share === undefined ? (count ?? 1) : Math.ceil(share * world.hosts.length);
    if (wanted >= fit.length) return fit;
    if (wanted === 1) return [fit[Math.floor(world.random() * fit.length)]!];
    return shuffled(fit, world.random).slice(0, wanted);
  }
}

function isEverybody({ count, share, hosts, region }: Who): boolean {
  return count === undefined && share === undefined && hosts === undefined && region === undefined;
}

const NAMED = 4;

function described(step: Step, hosts: readonly Host[]): string {
  const names = hosts.slice(0, NAMED).map(({ name }) => name);
  const more = hosts.length > NAMED ? ` and ${hosts.length - NAMED} more` : '';
  return `${step.do}${detailOf(step)} ${names.join(', ')}${more}`.trim();
}

function detailOf(step: Step): string {
  switch (step.do) {
    case 'crash':
      return ` (${step.how})`;
    case 'loss':
      return ` ${step.ratio}`;
    case 'write-document':
      return step.poison > 0 ? ` ${step.document} (poisonous)` : ` ${step.document}`;
    case 'delete-document':
    case 'forge-document':
      return ` ${step.document}`;
    default:
      return '';
  }
}
