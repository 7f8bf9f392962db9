/**
 * What the `Server` header of responses hints at. A sink of kept requests, as the worker tells them.
 *
 * Remembers the last header of 2,000 services; the one that was heard of longest ago gives way. @module
 */
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';
import type { NodeFact } from '../node-catalog.ts';
import { guessFromHeader } from './guess.ts';

const MAX_SERVICES = 2_000;
const MAX_HEADER = 128;

export class ServerHeaders {
  readonly #last = new Map<string, { readonly header: string; readonly atMs: number }>();

  heard(records: readonly Pick<RequestRecord, 'destination' | 'server' | 'atMs' | 'reason'>[]): void {
    for (const { destination, server, atMs, reason } of records) {
      if (server === '' || reason !== '' || !destination.includes('/')) continue;
      this.#last.delete(destination);
      if (this.#last.size >= MAX_SERVICES) this.#last.delete(this.#last.keys().next().value!);
      this.#last.set(destination, { header: server.slice(0, MAX_HEADER), atMs });
    }
  }

  facts(): readonly NodeFact[] {
    return [...this.#last].flatMap(([service, { header, atMs }]) => {
      const guess = guessFromHeader(header);
      if (guess === undefined) return [];
      const { language, framework, software, by } = guess;
      return Object.entries({ language, framework, software }).flatMap(([key, value]) =>
        value === undefined ? [] : [{ service, fact: { key, value, source: 'inferred' as const, by, atMs } }],
      );
    });
  }
}
