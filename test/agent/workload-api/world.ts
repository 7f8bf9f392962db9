/** What the Workload API needs of an agent, without the agent: real keys, real SVIDs, workloads that a test places. @module */
import { Linux } from '../../../agent/capture/linux.ts';
import { createLogger } from '../../../agent/log.ts';
import { SvidKeeper } from '../../../agent/svids.ts';
import type { EnrolledUnit } from '../../../agent/workload-api/callers.ts';
import { WorkloadApi, type WorkloadApiOptions } from '../../../agent/workload-api/workload-api.ts';
import type { RunsIn, Workload } from '../../../agent/workloads/workload.ts';
import type { NodeIdentity } from '../../../certs/node-bundle.ts';
import type { Svid } from '../../../certs/svid.ts';
import { HOUR_MS, makeNode, mint, TemporaryDirectory, TRUST_DOMAIN } from '../../certs/trust.ts';

export const OWN_UID = process.getuid!();

export class World implements AsyncDisposable {
  readonly directory = new TemporaryDirectory();
  readonly node: NodeIdentity = makeNode(this.directory);
  readonly linux = Linux.load();
  readonly socket = this.directory.sub('api.sock');
  readonly lines: string[] = [];
  /** Identities placed, in order. */
  readonly ids: string[] = [];
  units: EnrolledUnit[] = [];
  trust = this.node.trust;
  readonly svids = new SvidKeeper({
    node: this.node,
    ttlMs: HOUR_MS,
    log: createLogger({ level: 'silent' as 'fatal', node: 'a' }),
    random: Math.random,
    renewed: () => {},
  });
  api!: WorkloadApi;

  async start(time: Pick<WorkloadApiOptions, 'slowReaderMs' | 'idleMs' | 'nowMs'> = {}): Promise<this> {
    const log = createLogger({
      level: 'debug',
      node: 'a',
      destination: { write: (line) => void this.lines.push(line) },
    });
    const { socket, linux } = this;
    this.api = await WorkloadApi.start({
      socket,
      linux,
      units: () => this.units,
      svids: () => this.svids.svids(),
      trust: () => this.trust,
      log,
      ...time,
    });
    return this;
  }

  /** Brings a workload in, with its SVID. */
  place(serviceAccount: string, runs: RunsIn = { kind: 'host', uid: OWN_UID }, namespace?: number): string {
    const spiffeId = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/${serviceAccount}`;
    this.svids.hold(spiffeId);
    this.ids.push(spiffeId);
    const workload = { id: `shop/${serviceAccount}`, namespace: 'shop', serviceAccount, runs } as Workload;
    this.units = [...this.units, { unit: { namespace }, workloads: [workload] }];
    this.api.refresh();
    return spiffeId;
  }

  /** An SVID that no caller is given. */
  mint(serviceAccount: string): Svid {
    return mint(this.node, `spiffe://${TRUST_DOMAIN}/ns/shop/sa/${serviceAccount}`);
  }

  /** Another key and certificate of the same identity. */
  renew(spiffeId: string): void {
    this.svids.release(spiffeId);
    this.svids.hold(spiffeId);
    this.api.refresh();
  }

  /** Takes every workload out. */
  clear(): void {
    this.units = [];
    this.api.refresh();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api.close();
    this.svids[Symbol.dispose]();
    this.linux[Symbol.dispose]();
    this.directory[Symbol.dispose]();
  }
}
