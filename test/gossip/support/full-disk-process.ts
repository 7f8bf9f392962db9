/**
 * Two gossip nodes, the first of them with its data on a disk that runs full: an argument names that directory, mounted
 * for this process alone. Says on stdout what became of a document written before, while and after it is full.
 */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { loadOperatorBundle } from '../../../certs/operator-bundle.ts';
import type { Held } from '../../../gossip/documents/revision.ts';
import { keyText } from '../../../gossip/documents/revision.ts';
import { signRevision } from '../../../gossip/edge/sign-revision.ts';
import { Peer, Realm } from './mesh.ts';

const disk = process.argv[2]!;
const KEY = { kind: 'AccessPolicy', namespace: 'shop', name: 'web' };

using realm = new Realm();
const operator = loadOperatorBundle(join(realm.directory, 'trust'));
await using a = await Peer.start(realm, 'a', { dataDirectory: join(disk, 'a') });
await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
await a.view.until(() => a.view.state('b') === 'alive');

let base: Held | undefined;
async function write(bytes: number): Promise<object> {
  const from = base && { id: base.id, number: base.revision.number, hlc: base.revision.hlc };
  base = signRevision(operator, { key: KEY, base: from, body: Buffer.alloc(bytes, 'x'), nowMs: Date.now() });
  const outcome = await a.gossip.documents.write(base.revision);
  const headOf = (peer: Peer): string | undefined => peer.gossip.documents.chain(keyText(KEY))?.head.id;
  await b.view.until(() => headOf(b) === base!.id);
  return { ...outcome, isInForce: headOf(a) === base.id };
}

const before = await write(1_000);
fill();
const full = await write(100_000);
rmSync(join(disk, 'filler'));
const after = await write(1_000);
process.stdout.write(JSON.stringify({ before, full, after, alive: a.view.state('b') }));

function fill(): void {
  const file = openSync(join(disk, 'filler'), 'w');
  for (let bytes = 65_536; bytes >= 1; ) {
    try {
      writeSync(file, Buffer.alloc(bytes));
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code !== 'ENOSPC') throw err;
      bytes = Math.floor(bytes / 2);
    }
  }
  closeSync(file);
}
