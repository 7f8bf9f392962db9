/** What an operator may set about gossip. @module */
import { z } from 'zod';
import { parseHostPort } from './edge/address.ts';
import { parseSeed } from './edge/seeds.ts';

const HOST_PORT = 'write host:port, for IPv6 [address]:port';
const hostPort = z.string().refine((text) => parseHostPort(text) !== undefined, HOST_PORT);

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;

export const gossipConfig = z
  .strictObject({
    listen: hostPort
      .default('0.0.0.0:7946')
      .describe('Address and TCP port that other nodes reach this one at. Port 0 takes any free one.'),
    advertise: hostPort
      .optional()
      .describe(
        'ip:port told to other nodes. Default: the listen address, or for 0.0.0.0 the first address of this node that ' +
          'is not loopback. Set it where a node has several addresses.',
      ),
    seeds: z
      .array(
        z.string().refine((text) => parseSeed(text) !== undefined, `${HOST_PORT}, or dns+srv:_service._tcp.domain`),
      )
      .max(64)
      .default([])
      .describe(
        'Nodes to meet the mesh through, as host:port or dns+srv:_gossip._tcp.mesh.example. Names are resolved on every ' +
          'try and again each 30 s, and all their addresses (up to 16) are dialled. Two or three that are seldom down are ' +
          'enough; each node remembers others once it met them. More cost a dial each at start.',
      ),
    dataDirectory: z
      .string()
      .min(1)
      .default('/var/lib/weft')
      .describe('Where gossip keeps what must survive a restart: the epoch of this node and the peers it knew last.'),
    observers: z
      .int()
      .min(3)
      .max(16)
      .default(8)
      .describe(
        'How many nodes watch each node, the same on all nodes. Lower saves links and pings (two a second each); higher ' +
          'stands more failures at once.',
      ),
    pingIntervalMs: z
      .int()
      .min(50)
      .max(10 * SECOND_MS)
      .default(500)
      .describe('Time between pings to a watched node. Lower finds a silent crash sooner, for more messages.'),
    ackTimeoutMs: z
      .int()
      .min(50)
      .max(30 * SECOND_MS)
      .default(1_000)
      .describe(
        'Wait for an answer before asking others. Lower is faster; below the worst round trip it asks in vain.',
      ),
    askTimeoutMs: z
      .int()
      .min(20)
      .max(10 * SECOND_MS)
      .default(250)
      .describe('Wait for what other observers know before trying the port of the silent node itself.'),
    freshMs: z
      .int()
      .min(50)
      .max(30 * SECOND_MS)
      .default(700)
      .describe(
        'Another observer heard of it this recently: then only our own link is bad. A little above pingIntervalMs.',
      ),
    suspicionMinMs: z
      .int()
      .min(50)
      .max(60 * SECOND_MS)
      .default(500)
      .describe('A suspect has at least this long to refute, however many accuse it. Lower is faster, and less fair.'),
    suspicionMaxMs: z
      .int()
      .min(100)
      .max(120 * SECOND_MS)
      .default(2_500)
      .describe('A suspicion that gathers too few accusers is dropped after this long.'),
    vetoMs: z
      .int()
      .min(100)
      .max(30 * SECOND_MS)
      .default(1_500)
      .describe('A node whose port accepts although it does not answer is left alone this long before the next look.'),
    stallMaxMs: z
      .int()
      .min(SECOND_MS)
      .max(HOUR_MS)
      .default(15 * SECOND_MS)
      .describe(
        'A node that accepts connections but stays mute this long counts as dead. Lower ejects stuck nodes sooner.',
      ),
    antiEntropyIntervalMs: z
      .int()
      .min(100)
      .max(HOUR_MS)
      .default(5 * SECOND_MS)
      .describe(
        'Time between comparisons with a random neighbour. Lower repairs lost news sooner; equal nodes pay 60 bytes.',
      ),
    tombstoneMs: z
      .int()
      .min(60 * SECOND_MS)
      .default(24 * HOUR_MS + 600_000)
      .describe('How long a dead or departed node is remembered, so that old news of it is recognised as old.'),
    dialTimeoutMs: z
      .int()
      .min(100)
      .max(60 * SECOND_MS)
      .default(5 * SECOND_MS)
      .describe('Longest a connection to another node may take to be made, handshake included.'),
    admissionTimeoutMs: z
      .int()
      .min(100)
      .max(60 * SECOND_MS)
      .default(5 * SECOND_MS)
      .describe('Longest an incoming connection may take to prove who it is before it is closed.'),
    leaveLingerMs: z
      .int()
      .min(0)
      .max(10 * SECOND_MS)
      .default(200)
      .describe('Time for the goodbye to be passed on before the connections are closed.'),
    maxMembers: z
      .int()
      .min(2)
      .max(100_000)
      .default(10_000)
      .describe('Most nodes this one will remember, dead ones included; more are ignored and counted.'),
    maxDocuments: z
      .int()
      .min(10)
      .max(100_000)
      .default(10_000)
      .describe(
        'Most documents (policy) the mesh carries, and as many deletions, the same on all nodes. Higher costs memory and ' +
          'disk on every node: about 2 kB for each revision kept, up to ten a document.',
      ),
  })
  .refine((c) => c.suspicionMinMs <= c.suspicionMaxMs, 'suspicionMinMs: set it to suspicionMaxMs or less')
  .refine((c) => c.freshMs > c.pingIntervalMs, 'freshMs: set it above pingIntervalMs');

export type GossipConfig = z.output<typeof gossipConfig>;
