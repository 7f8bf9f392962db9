/**
 * One libp2p node, with every default changed that would hurt a mesh of a few links between nodes that trust each other.
 *
 * Why each setting: the connection monitor aborts links to peers that are slow once; the accept limits refuse a mesh that
 * restarts at once; write buffers have no bound unless set; gossipsub's scores punish peers behind one address, and ours
 * are authenticated; a message's signature is checked once, by its record's register, instead of once per duplicate.
 * @module
 */
import { createHash } from 'node:crypto';
import { Socket } from 'node:net';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { type GossipSub, gossipsub, StrictNoSign } from '@libp2p/gossipsub';
import { type Identify, identify } from '@libp2p/identify';
import type { ConnectionGater, Libp2p, MultiaddrConnection } from '@libp2p/interface';
import { createLibp2p } from 'libp2p';
import type { HostPort } from '../edge/address.ts';
import { toMultiaddrText } from '../edge/address.ts';
import type { Admission } from './admission.ts';
import type { Carrier } from './carrier.ts';
import { guardedYamux } from './guarded-yamux.ts';

export type MeshNode = Libp2p<{ identify: Identify; pubsub: GossipSub }>;

export interface NodeOptions {
  readonly listen: HostPort;
  readonly topics: readonly string[];
  readonly admission: Admission;
  readonly transport: Carrier['transport'];
  readonly admissionTimeoutMs: number;
  readonly dialTimeoutMs: number;
  /** An incoming connection ended before its peer was admitted, for a reason admission itself did not see. */
  readonly refused: (reason: 'garbage' | 'timeout') => void;
}

/** Largest broadcast: a delta of a whole record. */
export const MAX_BROADCAST_BYTES = 80 * 1024;
const MIB = 1024 * 1024;

/** Creates the node without starting it: streams must have handlers first. */
export async function createNode(options: NodeOptions): Promise<MeshNode> {
  return createLibp2p({
    start: false,
    privateKey: await generateKeyPair('Ed25519'),
    nodeInfo: { name: 'weft', version: '1', userAgent: 'weft' },
    addresses: { listen: [toMultiaddrText(options.listen)] },
    transports: [options.transport],
    connectionEncrypters: [options.admission.encrypter()],
    streamMuxers: [
      guardedYamux({
        enableKeepAlive: true,
        keepAliveInterval: 5_000,
        maxInboundStreams: 32,
        maxOutboundStreams: 32,
        streamOptions: { maxReadBufferLength: 4 * MIB, maxWriteBufferLength: 4 * MIB },
      }),
    ],
    connectionGater: countingGater(options),
    connectionMonitor: { enabled: false },
    connectionManager: {
      maxConnections: 300,
      maxIncomingPendingConnections: 256,
      inboundConnectionThreshold: 200,
      inboundUpgradeTimeout: options.admissionTimeoutMs,
      inboundStreamProtocolNegotiationTimeout: 5_000,
      outboundStreamProtocolNegotiationTimeout: 5_000,
      dialTimeout: options.dialTimeoutMs,
      addressDialTimeout: options.dialTimeoutMs,
      maxParallelDials: 32,
      maxDialQueueLength: 256,
      reconnectRetries: 0, // ours redials by what membership knows
    },
    services: {
      identify: identify({ timeout: 5_000 }),
      pubsub: gossipsub({
        allowedTopics: [...options.topics],
        globalSignaturePolicy: StrictNoSign,
        msgIdFn: (message) => digest(message.data).subarray(0, 16),
        fastMsgIdFn: (message) => digest(message.data ?? new Uint8Array()).toString('latin1', 0, 16),
        allowPublishToZeroTopicPeers: true,
        ignoreDuplicatePublishError: true,
        fallbackToFloodsub: false,
        floodPublish: true,
        doPX: false,
        D: 6,
        Dlo: 4,
        Dhi: 12,
        Dlazy: 6,
        heartbeatInterval: 700,
        maxInboundDataLength: MIB,
        maxOutboundBufferSize: 4 * MIB,
        tagMeshPeers: false,
        scoreParams: { IPColocationFactorWeight: 0, behaviourPenaltyWeight: 0, appSpecificWeight: 0, topics: {} },
      }),
    },
  });
}

/** Lets everybody in, and sees which incoming connections end before admission had its say. */
function countingGater({ admission, refused, admissionTimeoutMs }: NodeOptions): ConnectionGater {
  return {
    // libp2p refuses loopback and private addresses by default in places; a mesh lives on them.
    denyDialMultiaddr: () => false,
    denyInboundConnection: (connection: MultiaddrConnection) => {
      const acceptedAtMs = performance.now();
      connection.addEventListener('close', () => {
        if (admission.hasSeen(connection)) return;
        // A connect probe leaves without a word, long before the timeout: that is no intruder.
        const isTimeout = performance.now() - acceptedAtMs >= admissionTimeoutMs - 50;
        if (isTimeout || bytesRead(connection) > 0) refused(isTimeout ? 'timeout' : 'garbage');
      });
      return false;
    },
  };
}

/** libp2p's TCP connection keeps its socket to itself; without it, nothing counts as garbage. */
function bytesRead(connection: MultiaddrConnection): number {
  const socket: unknown = Reflect.get(connection, 'socket');
  return socket instanceof Socket ? socket.bytesRead : 0;
}

function digest(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
