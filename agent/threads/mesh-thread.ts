/**
 * Entry of the mesh thread: one `Gossip`, driven by messages from the control thread. Holds no rule.
 *
 * It has an event loop to itself because what delays it looks to other nodes like a node in trouble.
 * @module
 */
import { workerData as born, parentPort } from 'node:worker_threads';
import { loadNodeBundle } from '../../certs/node-bundle.ts';
import { Gossip } from '../../gossip/gossip.ts';
import type { Caller } from '../../gossip/libp2p/calls.ts';
import { createLogger } from '../log.ts';
import type { FromMesh, MeshWorkerData, Succession, ToMesh } from './mesh-protocol.ts';

const control = parentPort!;
const stopping = new AbortController();
/** Questions of members that the control thread has yet to answer; it answers every one. */
const asked = new Map<number, Pick<PromiseWithResolvers<Uint8Array>, 'resolve' | 'reject'>>();
let lastAsked = 0;
const RELOAD_MS = 1_000;
/** What to go on with, once the predecessor has let go. */
const succession = Promise.withResolvers<Succession>();
succession.promise.catch(() => {}); // told where it is waited for
const starting = start(born as MeshWorkerData);
control.on('message', (message: ToMesh) => void obey(message));

async function start({ config, nodeBundleDirectory, logLevel, isHeld }: MeshWorkerData): Promise<Gossip | undefined> {
  try {
    const succeeds = isHeld ? await succession.promise : undefined;
    const identity = loadNodeBundle(nodeBundleDirectory);
    const log = createLogger({ level: logLevel, node: identity.name }).child({ thread: 'mesh' });
    const events = {
      members: (members: Extract<FromMesh, { kind: 'members' }>['members']) => tell({ kind: 'members', members }),
      endpoints: (delta: Extract<FromMesh, { kind: 'endpoints' }>['delta']) => tell({ kind: 'endpoints', delta }),
      documents: (heads: Extract<FromMesh, { kind: 'heads' }>['heads']) => tell({ kind: 'heads', heads }),
      documentsGone: (keys: Extract<FromMesh, { kind: 'documents-gone' }>['keys']) =>
        tell({ kind: 'documents-gone', keys }),
      revocations: (entries: Extract<FromMesh, { kind: 'revocations' }>['entries']) =>
        tell({ kind: 'revocations', entries }),
      noted: (notes: Extract<FromMesh, { kind: 'noted' }>['notes']) => tell({ kind: 'noted', notes }),
      report: (node: string, report: Uint8Array | undefined) => tell({ kind: 'report', node, report }),
      evidence: (node: string, evidence: Uint8Array | undefined) => tell({ kind: 'evidence', node, evidence }),
    };
    const gossip = await Gossip.start(
      config,
      { identity, events, log, answer: askControl, ...(succeeds === undefined ? {} : { succeeds }) },
      stopping.signal,
    );
    tell({ kind: 'started', name: identity.name, address: gossip.address });
    return gossip;
  } catch (err) {
    tell({ kind: 'refused', error: err instanceof Error ? err : new Error(String(err)) });
    control.close();
    return undefined;
  }
}

async function obey(message: ToMesh): Promise<void> {
  if (message.kind === 'succeed') succession.resolve(message.succession);
  if (message.kind === 'close') {
    succession.reject(new Error('closed before its predecessor let go'));
    stopping.abort();
  }
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
    case 'evidence':
      gossip.accuse(message.evidence);
      break;
    case 'identity':
      renew(gossip);
      break;
    case 'issuer':
      gossip.declareIssuer(message.note);
      break;
    case 'call':
      await callMember(gossip, message);
      break;
    case 'answered':
      settle(message.request, message.answer);
      break;
    case 'close':
      await gossip.close(message.isSucceeded);
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

/** The control thread could load the bundle a moment ago; if somebody is at it, a moment later will do. */
function renew(gossip: Gossip): void {
  try {
    gossip.identityChanged(loadNodeBundle((born as MeshWorkerData).nodeBundleDirectory));
  } catch {
    setTimeout(() => renew(gossip), RELOAD_MS).unref();
  }
}

async function callMember(gossip: Gossip, { request, to, question }: Extract<ToMesh, { kind: 'call' }>): Promise<void> {
  try {
    tell({ kind: 'called', request, answer: await gossip.call(to, question) });
  } catch (err) {
    tell({ kind: 'call-failed', request, error: err instanceof Error ? err : new Error(String(err)) });
  }
}

/** The control thread answers what members ask: keys of issuers are there. Calls bound how many wait. */
function askControl(caller: Caller, question: Uint8Array): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  asked.set(++lastAsked, { resolve, reject });
  tell({ kind: 'asked', request: lastAsked, caller, question });
  return promise;
}

function settle(request: number, answer: Uint8Array | undefined): void {
  const waiting = asked.get(request);
  asked.delete(request);
  if (answer === undefined) waiting?.reject(new Error('no answer'));
  else waiting?.resolve(answer);
}

function tell(message: FromMesh): void {
  control.postMessage(message);
}
