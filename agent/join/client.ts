/**
 * Asking an issuer at its join listener: to join with a token, or to renew a certificate that gossip does not admit any more.
 *
 * The other side must show the credential of an issuer under a root we know, by fingerprint or in full, before it learns
 * anything.
 * @module
 */
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import tls from 'node:tls';
import { createCsr } from '../../certs/csr.ts';
import { verifyDesk } from '../../certs/issuer-chain.ts';
import { checkNotTaken, installNodeBundle, type NodeIdentity } from '../../certs/node-bundle.ts';
import { nodeId } from '../../certs/spiffe.ts';
import { fingerprint, parseToken, type Token } from '../../certs/token.ts';
import { parseTrustBundle, toPem } from '../../certs/trust-bundle.ts';
import { parseChain, peerChain, verifyChain } from '../../certs/verify.ts';
import { formatHostPort, type HostPort } from '../../gossip/edge/address.ts';
import { encodeFrame } from '../../gossip/libp2p/frames.ts';
import { AgentError, messageOf } from '../errors.ts';
import { JOIN_TLS, readFrame } from './connection.ts';
import { type Answer, decodeAnswer, encodeQuestion, MAX_ANSWER_BYTES, type Question } from './messages.ts';

const TIMEOUT_MS = 15_000;
const PATIENCE_MS = 20_000;
const RETRY_MS = 1_000;

export interface JoinOptions {
  readonly token: string;
  readonly address: HostPort;
  /** Where the bundle is written; made if absent, and must not be another node's. */
  readonly directory: string;
  /** Needed when the token does not name the node. */
  readonly name?: string;
  /** Ends waiting for an issuer that is busy. */
  readonly signal?: AbortSignal;
}

export interface Joined {
  readonly name: string;
  readonly grant: readonly string[];
  readonly trustDomain: string;
  readonly expiresAtMs: number;
}

/**
 * Makes a key, which does not leave this machine, has it certified, and writes the bundle.
 *
 * @throws AgentError or CertsError saying what to do; nothing was written then
 */
export async function join({ token: text, address, directory, name = '', signal }: JoinOptions): Promise<Joined> {
  const token = parseToken(text.trim());
  if (token === undefined) throw new AgentError('WEFT_AGENT_TOKEN_INVALID', 'the token given');
  const node = token.name === '' ? name : token.name;
  const spiffeId = nodeId(token.trustDomain, node);
  checkNotTaken(directory, spiffeId);
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const question: Question = { kind: 'join', token: text.trim(), csr: createCsr(privateKey, node), name };
  const answer = await untilDecided(
    () => ask(address, question, { isIssuer: (chain) => refuseDeskOf(token, chain) }),
    signal,
  );
  const where = formatHostPort(address);
  if (answer.kind === 'refused') throw new AgentError('WEFT_AGENT_JOIN_REFUSED', `${where}: ${answer.detail}`);
  const [chain, roots] = answer.kind === 'issued' ? [parseChain(answer.chain), answer.roots] : [[], []];
  if (!Array.isArray(chain)) throw new AgentError('WEFT_AGENT_JOIN_ANSWER', `${where}: ${chain.detail}`);
  const rootsPem = toPem(roots.map((der) => new X509Certificate(der)));
  const trust = parseTrustBundle(token.trustDomain, rootsPem, `roots from ${where}`);
  const verdict = verifyChain(chain, { trust, role: 'node', nowMs: Date.now(), expected: spiffeId });
  if (!verdict.ok || !chain[0]!.publicKey.equals(publicKey)) {
    throw new AgentError('WEFT_AGENT_JOIN_ANSWER', `${where}: ${verdict.ok ? 'for another key' : verdict.detail}`);
  }
  installNodeBundle(directory, { privateKey, chain, roots: trust.roots });
  return { name: node, grant: token.grant, trustDomain: token.trustDomain, expiresAtMs: verdict.expiresAtMs };
}

/** Asks to renew what this node has, also when it expired lately. Rejects when nobody answers or an impostor does. */
export function renewAtListener(identity: NodeIdentity, address: HostPort): Promise<Answer> {
  const { chain, privateKey, trust } = identity;
  const question: Question = { kind: 'renew', chain: chain.map(({ raw }) => raw) };
  return ask(address, question, {
    isIssuer: (shown) => {
      const refused = verifyDesk(shown.slice(0, 2), { trust, nowMs: Date.now() });
      return refused?.detail;
    },
    credential: { cert: toPem(chain), key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() },
  });
}

interface AskOptions {
  /** What is wrong with the chain that the other side shows, or undefined when it is an issuer's. */
  readonly isIssuer: (chain: readonly X509Certificate[]) => string | undefined;
  readonly credential?: { readonly cert: string; readonly key: string };
}

async function ask(address: HostPort, question: Question, { isIssuer, credential }: AskOptions): Promise<Answer> {
  const where = formatHostPort(address);
  const socket = tls.connect({ ...address, ...JOIN_TLS, ...credential });
  const deadline = AbortSignal.timeout(TIMEOUT_MS);
  deadline.addEventListener('abort', () => socket.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
  try {
    await once(socket, 'secureConnect').catch((cause: unknown) => {
      throw new AgentError('WEFT_AGENT_JOIN_UNREACHABLE', `${where} (${messageOf(cause)})`, { cause });
    });
    const problem = isIssuer(peerChain(socket));
    if (problem !== undefined) throw new AgentError('WEFT_AGENT_JOIN_IMPOSTOR', `${where} (${problem})`);
    socket.on('error', () => {}); // what it did is told by the frame that does not come
    socket.write(encodeFrame(encodeQuestion(question)));
    const frame = await readFrame(socket, MAX_ANSWER_BYTES);
    const answer = frame && decodeAnswer(frame);
    if (answer === undefined) throw new AgentError('WEFT_AGENT_JOIN_UNREACHABLE', `${where} (it hung up)`);
    return answer;
  } finally {
    socket.destroy();
  }
}

/** An issuer may have to wait until it knows who decides about a token: a few seconds after one of them went away. */
async function untilDecided(act: () => Promise<Answer>, signal: AbortSignal | undefined): Promise<Answer> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await act();
    const isBusy = answer.kind === 'refused' && answer.reason === 'busy';
    if (!isBusy || performance.now() > deadlineMs) return answer;
    await setTimeout(RETRY_MS, undefined, signal && { signal });
  }
}

/** The other side sends its root along; what is known of it is the fingerprint in the token. */
function refuseDeskOf({ trustDomain, roots }: Token, chain: readonly X509Certificate[]): string | undefined {
  const root = chain[2];
  if (root === undefined || !roots.includes(fingerprint(root).toString('hex'))) return 'its root is not in the token';
  const refused = verifyDesk(chain.slice(0, 2), { trust: { trustDomain, roots: [root] }, nowMs: Date.now() });
  return refused?.detail;
}
