/**
 * What capture asks of the kernel, as the text of one nft table. Pure: the same spec gives the same text.
 *
 * Applying the text replaces whatever the table held before in a single transaction, so there is no instant at which
 * traffic passes by, and applying it twice is the same as once. Connections that are open already keep their path: NAT
 * is decided by a connection's first packet. Where nobody listens on a port of ours, a redirected connection is refused:
 * capture fails closed.
 * @module
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { CAPTURE_MARK, CAPTURE_TABLE, CLIENT_MARK, CLIENT_ZONE } from './constants.ts';
import { CaptureError } from './errors.ts';

const MARK = hex(CAPTURE_MARK);
const CLIENT = hex(CLIENT_MARK);

export interface CaptureRules {
  /** Chains for what leaves, in order. */
  readonly outbound: readonly OutboundRule[];
  readonly inbound: InboundRule;
  /** Whether the agent may connect to the applications in the name of their clients, from these clients' addresses. */
  readonly keepsClientAddress?: boolean;
}

export interface OutboundRule {
  /** Shown beside the rule by `nft list`, to say whose traffic it is. */
  readonly workload: string;
  /** Processes of this user. undefined: all processes in the namespace; only the last rule may say so. */
  readonly uid?: number;
  /** Where its TCP connections are sent. */
  readonly port: number;
  /** Where its DNS queries are sent. undefined: they are left alone. */
  readonly dnsPort?: number;
  /** TCP ports, and networks in CIDR notation, that are reached as if there were no mesh. DNS is not affected. */
  readonly exclude?: { readonly ports?: readonly number[]; readonly cidrs?: readonly string[] };
}

/** What arrives from outside. `all`: every TCP port but the tunnel; `ports`: these ports of this machine only. */
export type InboundRule =
  | {
      readonly kind: 'all';
      readonly port: number;
      readonly tunnelPort: number;
      readonly excludePorts?: readonly number[];
    }
  | { readonly kind: 'ports'; readonly port: number; readonly ports: readonly number[] };

/** The text for `nft -f -` that puts capture in place. */
export function captureRuleset(rules: CaptureRules): string {
  return [
    removeRuleset(),
    `table inet ${CAPTURE_TABLE} {`,
    ...block('chain output', outputChain(rules.outbound)),
    ...rules.outbound.flatMap((rule, index) => block(`chain ${chainName(index)}`, workloadChain(rule))),
    ...block('chain prerouting', preroutingChain(rules.inbound)),
    ...(rules.keepsClientAddress ? clientChains() : []),
    '}',
    '',
  ].join('\n');
}

/** The text that leaves nothing of capture but the way back of connections that are open in a client's name. */
export function returningRuleset(): string {
  return [removeRuleset(), `table inet ${CAPTURE_TABLE} {`, ...clientChains(), '}', ''].join('\n');
}

/** The text for `nft -f -` that removes capture; `add` first, so that it also succeeds where there is none. */
export function removeRuleset(): string {
  return `add table inet ${CAPTURE_TABLE}\ndelete table inet ${CAPTURE_TABLE}\n`;
}

/**
 * What arrives over loopback from a socket of ours belongs to a connection made in a client's name; what the application
 * answers there is marked, and so routed back (return-path.ts).
 */
function clientChains(): string[] {
  return [
    ...block('chain client_zone', [
      'type filter hook output priority -300; policy accept;',
      `meta mark ${MARK} oif "lo" meta l4proto tcp ct original zone set ${CLIENT_ZONE}`,
    ]),
    ...block('chain client_in', [
      'type filter hook prerouting priority -150; policy accept;',
      `meta mark ${MARK} iif "lo" meta l4proto tcp ct mark set ${CLIENT}`,
    ]),
    ...block('chain client_out', [
      'type route hook output priority -150; policy accept;',
      `meta mark != ${MARK} ct mark ${CLIENT} meta mark set ${CLIENT}`,
    ]),
  ];
}

function outputChain(outbound: readonly OutboundRule[]): string[] {
  return [
    'type nat hook output priority -100; policy accept;',
    `meta mark ${MARK} return comment "sockets of the agent"`,
    ...outbound.map(({ uid, workload }, index) => {
      const whose = uid === undefined ? '' : `meta skuid ${uid} `;
      return `${whose}goto ${chainName(index)} comment "${commentText(workload)}"`;
    }),
  ];
}

function workloadChain({ port, dnsPort, exclude }: OutboundRule): string[] {
  const cidrs = exclude?.cidrs ?? [];
  const dns =
    dnsPort === undefined ? [] : ['udp', 'tcp'].map((transport) => `${transport} dport 53 redirect to :${dnsPort}`);
  return [
    ...dns, // before loopback is let through, for resolvers such as 127.0.0.53
    'oif "lo" return',
    // A rule each, because a set refuses networks that overlap.
    ...cidrs.map((cidr) => `${cidrMatch(cidr)} return`),
    ...returns('tcp dport', exclude?.ports ?? []),
    `meta l4proto tcp redirect to :${port}`,
  ];
}

function preroutingChain(inbound: InboundRule): string[] {
  const head = ['type nat hook prerouting priority -100; policy accept;', 'iif "lo" return'];
  if (inbound.kind === 'all') {
    const open = [inbound.tunnelPort, ...(inbound.excludePorts ?? [])];
    return [...head, ...returns('tcp dport', open), `meta l4proto tcp redirect to :${inbound.port}`];
  }
  if (inbound.ports.length === 0) return head;
  // A machine may also forward for containers and guests: only what is addressed to itself is its workloads'.
  return [...head, `fib daddr type local tcp dport { ${unique(inbound.ports)} } redirect to :${inbound.port}`];
}

function returns(selector: string, values: readonly (string | number)[]): string[] {
  return values.length === 0 ? [] : [`${selector} { ${unique(values)} } return`];
}

/** nft refuses a set that names an element twice. */
function unique(values: readonly (string | number)[]): string {
  return [...new Set(values)].join(', ');
}

function hex(mark: number): string {
  return `0x${mark.toString(16)}`;
}

function chainName(index: number): string {
  return `outbound_${index}`;
}

/** Comments are quoted strings of at most 128 bytes, without a way to escape a quote. */
function commentText(text: string): string {
  return text.replaceAll(/[^\w./: -]/g, '_').slice(0, 100);
}

function block(head: string, lines: readonly string[]): string[] {
  return [`  ${head} {`, ...lines.map((line) => `    ${line}`), '  }'];
}

/**
 * The match for a network, its address written as nft reads it: nft knows fewer spellings than the RFCs allow.
 *
 * @throws CaptureError for text that is no network: it becomes part of a program for the kernel
 */
function cidrMatch(cidr: string): string {
  // isIP is the strict one: ipaddr.js also reads 1.2/8, and 010.0.0.0/8 as octal.
  if (isIP(cidr.slice(0, cidr.indexOf('/'))) === 0 || !ipaddr.isValidCIDR(cidr) || cidr.includes('%')) {
    throw new CaptureError('WEFT_CAPTURE_SPEC', `excluded network ${JSON.stringify(cidr)}`);
  }
  const [address, bits] = ipaddr.parseCIDR(cidr);
  return `${address.kind() === 'ipv4' ? 'ip' : 'ip6'} daddr ${address.toString()}/${bits}`;
}
