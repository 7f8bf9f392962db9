/** What is known of services and their endpoints, and who hears of a change in which order. @module */
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { EndpointDelta } from '../../gossip/effects.ts';
import type { Delta, Service } from '../../proxy/snapshot.ts';
import { ServiceDirectory } from '../services.ts';
import type { DataPlane } from '../threads/data-plane.ts';
import type { CompiledService } from '../traffic/compiled.ts';
import { declaredService } from '../traffic/compiled.ts';
import { VipAllocator } from '../vips.ts';

export interface ServiceNewsOptions {
  readonly dataDirectory: string;
  readonly plane: DataPlane;
  readonly log: Logger;
}

export class ServiceNews {
  readonly services: ServiceDirectory;
  readonly #vips: VipAllocator;
  readonly #plane: DataPlane;
  readonly #log: Logger;
  readonly #first: ((ids: readonly string[]) => void)[] = [];
  readonly #after: (() => void)[] = [];

  constructor({ dataDirectory, plane, log }: ServiceNewsOptions) {
    this.#vips = new VipAllocator(join(dataDirectory, 'vips.json'));
    this.services = new ServiceDirectory(this.#vips);
    this.#plane = plane;
    this.#log = log;
  }

  /** Hears which services changed before the data plane does. */
  beforeWorkers(listener: (ids: readonly string[]) => void): void {
    this.#first.push(listener);
  }

  afterWorkers(listener: () => void): void {
    this.#after.push(listener);
  }

  /** Endpoints came, changed or went. */
  endpointsChanged(delta: EndpointDelta): void {
    this.route(delta);
    this.#vips.save().catch((err: unknown) => this.#log.error({ err }, 'virtual addresses could not be saved'));
  }

  /** The same, and the virtual addresses on disk stay as they are: they are the predecessor's. */
  route(delta: EndpointDelta): void {
    this.#changed(this.services.apply(delta), delta);
  }

  /** Takes all services that documents declare. */
  declare(services: readonly CompiledService[]): void {
    this.#changed(this.services.declare(services.flatMap(declaredService)));
  }

  /** @param endpoints what they changed by */
  #changed(services: Delta<Service>, endpoints: EndpointDelta = { upsert: [], remove: [] }): void {
    const ids = [...services.upsert.map(({ id }) => id), ...services.remove];
    for (const tell of this.#first) tell(ids);
    this.#plane.apply({ services, endpoints });
    for (const tell of this.#after) tell();
    const nameless = services.upsert.filter(({ vips }) => vips.length === 0).map(({ id }) => id);
    if (nameless.length > 0) this.#log.error({ services: nameless }, 'no virtual address is left for services');
  }
}
