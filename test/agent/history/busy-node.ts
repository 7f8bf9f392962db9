/** A node with an hour of 100 services on its disk, which answers questions about it. @module */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { historyConfig } from '../../../agent/history/config.ts';
import { History } from '../../../agent/history/history.ts';
import { DETAIL_MS, HistoryStore } from '../../../agent/history/store.ts';
import type { Realm } from '../../gossip/support/mesh.ts';
import type { MeshNode } from '../mesh-query/mesh-node.ts';
import { busyRows } from './support.ts';

export const HOUR_MS = 3_600_000;
export const SERVICES = 100;
const log = pino({ level: 'silent' });
const config = historyConfig.parse({});

/** @returns the history, and how many bytes the hour takes on disk */
export async function busyHistory(
  realm: Pick<Realm, 'directory'>,
  { name, queries }: Pick<MeshNode, 'name' | 'queries'>,
  fromMs: number,
): Promise<{ readonly history: History; readonly bytes: number }> {
  const dataDirectory = join(realm.directory, 'data', name);
  mkdirSync(dataDirectory, { recursive: true });
  const store = await HistoryStore.open({ directory: join(dataDirectory, 'history'), config, log });
  for (let step = 0; step < HOUR_MS / DETAIL_MS; step++) {
    await store.add({ atMs: fromMs + step * DETAIL_MS, rows: busyRows(SERVICES, step) });
  }
  const stats = { series: () => [] };
  const options = { node: name, config, dataDirectory, stats, queries, log, patienceMs: 20_000 };
  return { history: await History.start(options), bytes: store.bytes };
}
