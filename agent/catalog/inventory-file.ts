/**
 * The inventory on disk: `catalog.json` in the data directory, written whole. A file that cannot be read is as good as none: what
 * is there appears again, only younger than it is. @module
 */
import { readFileSync, statSync } from 'node:fs';
import { withChecksum } from '../../gossip/edge/store.ts';
import { writeFileAtomic } from '../files.ts';
import { Inventory, type InventoryState } from './inventory.ts';

/** 20,000 entries are about 6 MB. */
const MAX_BYTES = 64 * 1024 * 1024;

interface Contents extends InventoryState {
  readonly version: 1;
  readonly trustDomain: string;
}

/** @throws what is wrong with the file, or that there is none */
export function loadInventory(file: string, trustDomain: string): Inventory {
  if (statSync(file).size > MAX_BYTES) throw new TypeError(`larger than ${MAX_BYTES} bytes`);
  const text = readFileSync(file, 'utf8');
  const json = text.slice(0, text.indexOf('\n'));
  if (text !== withChecksum(json)) throw new TypeError('its checksum is not that of its contents');
  const contents = JSON.parse(json) as Contents; // ours: the checksum holds
  if (contents.version !== 1) throw new TypeError(`version ${String(contents.version)}; this one reads 1`);
  return contents.trustDomain === trustDomain ? new Inventory(contents) : new Inventory();
}

export function saveInventory(file: string, trustDomain: string, state: InventoryState): Promise<void> {
  return writeFileAtomic(file, withChecksum(JSON.stringify({ version: 1, trustDomain, ...state } satisfies Contents)));
}
