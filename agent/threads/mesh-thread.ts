/**
 * Entry of the mesh thread: one `Gossip`, driven by messages from the control thread. Holds no rule.
 *
 * It has an event loop to itself because what delays it looks to other nodes like a node in trouble.
 * @module
 */
import { workerData as born, parentPort } from 'node:worker_threads';
import { loadNodeBundle } from '../../certs/node-bundle.ts';
import { Gossip } from '../../gossip/gossip.ts';
import { createLogger } from '../log.ts';
import type { FromMesh, MeshWorkerData, ToMesh } from './mesh-protocol.ts';

const control = parentPort!;
const stopping = new AbortController();
const starting = start(born as MeshWorkerData);
control.on('message', (message: ToMesh) => void obey(message));

async function start({ config, nodeBundleDirectory, logLevel }: MeshWorkerData): Promise<Gossip | undefined> {
  try {
    const identity = loadNodeBundle(nodeBundleDirectory);
    const log = createLogger({ level: logLevel, node: identity.name }).child({ thread: 'mesh' });
    const events = {
      members: (members: Extract<FromMesh, { kind: 'members' }>['members']) => tell({ kind: 'members', members }),
      endpoints: (delta: Extract<FromMesh, { kind: 'endpoints' }>['delta']) => tell({ kind: 'endpoints', delta }),
      documents: (heads: Extract<FromMesh, { kind: 'heads' }>['heads']) => tell({ kind: 'heads', heads }),
      noted: (notes: Extract<FromMesh, { kind: 'noted' }>['notes']) => tell({ kind: 'noted', notes }),
      report: (node: string, report: Uint8Array | undefined) => tell({ kind: 'report', node, report }),
    };
    const gossip = await Gossip.start(config, { identity, events, log }, stopping.signal);
    tell({ kind: 'started', name: identity.name, address: gossip.address });
    return gossip;
  } catch (err) {
    tell({ kind: 'refused', error: err instanceof Error ? err : new Error(String(err)) });
    control.close();
    return undefined;
  }
}

async function obey(message: ToMesh): Promise<void> {
  if (message.kind === 'close') stopping.abort();
  const gossip = await starting;
  if (gossip === undefined) return;
  switch (message.kind) {
    case 'publish':
      gossip.publish(message.endpoints);
      break;
    case 'stats':
      tell({ kind: 'stats', request: message.request, stats: gossip.stats() });
      break;
    case 'documents':
      await answer(gossip, message);
      break;
    case 'report':
      gossip.report(message.report);
      break;
    case 'close':
      await gossip.close();
      control.close(); // nothing keeps the thread alive after this
  }
}

async function answer(gossip: Gossip, { request, query, ask }: Extract<ToMesh, { kind: 'documents' }>): Promise<void> {
  try {
    tell({ kind: 'documents', request, answer: await gossip.documents.query(query, ask) });
  } catch (err) {
    tell({ kind: 'documents-failed', request, error: err instanceof Error ? err : new Error(String(err)) });
  }
}

function tell(message: FromMesh): void {
  control.postMessage(message);
}
