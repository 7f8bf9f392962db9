/**
 * The commands that turn empty namespaces into a network, as text: `ip -batch` for what is done from outside, one shell
 * script for what is done inside each namespace. Nothing here runs anything.
 *
 * @module
 */
import { FABRIC, podAddresses, podGatewayOf, podSubnetsOf, uplinkOf } from './addresses.ts';

/** Chosen by us: a bridge left to itself changes its address as ports come, and neighbours talk to the old one for a while. */
const BRIDGE_MAC = '02:00:00:00:00:77';

/** Names of the namespaces at both ends of a node's cable. */
export interface NodePlan {
  readonly index: number;
  readonly namespace: string;
}

export interface PodPlan {
  readonly node: NodePlan;
  readonly namespace: string;
  readonly name: string;
  /** Counts from 0 on its node. */
  readonly index: number;
}

/** For `ip -batch` in the root namespace: every link is born inside the lab, so the root never sees one. */
export function fabricBatch(fabric: string, nodes: readonly NodePlan[]): string {
  return lines([
    `netns add ${fabric}`,
    ...nodes.flatMap(({ index, namespace }) => [
      `netns add ${namespace}`,
      `link add ${fabricPort(index)} netns ${fabric} type veth peer name uplink netns ${namespace}`,
    ]),
  ]);
}

/** For `ip -batch` in the root namespace. */
export function podBatch({ node, namespace, name }: PodPlan): string {
  return lines([
    `netns add ${namespace}`,
    `link add ${podPort(name)} netns ${node.namespace} type veth peer name eth0 netns ${namespace}`,
  ]);
}

/** Inside the fabric: one switch, which also answers "no route" for whatever lies outside the lab. */
export function fabricScript(nodes: readonly NodePlan[]): string {
  return script([
    'link set lo up',
    `link add br0 address ${BRIDGE_MAC} type bridge mcast_snooping 0`,
    `address add ${FABRIC.address4}/24 dev br0`,
    `address add ${FABRIC.address6}/64 dev br0 nodad`,
    'link set br0 up',
    ...nodes.map(({ index }) => `link set ${fabricPort(index)} master br0 up`),
    ...nodes.flatMap(routesToPodsOf),
  ]);
}

/** Inside a node: its uplink, the switch its pods hang on, and a route to the pods of every other node. */
export function nodeScript(self: NodePlan, nodes: readonly NodePlan[]): string {
  const uplink = uplinkOf(self.index);
  const gateway = podGatewayOf(self.index);
  return script([
    'link set lo up',
    `address add ${uplink.address4}/24 dev uplink`,
    `address add ${uplink.address6}/64 dev uplink nodad`,
    'link set uplink up',
    `link add pods address ${BRIDGE_MAC} type bridge mcast_snooping 0`,
    `address add ${gateway.address4}/24 dev pods`,
    `address add ${gateway.address6}/64 dev pods nodad`,
    'link set pods up',
    `route add default via ${FABRIC.address4}`,
    `route add ::/0 via ${FABRIC.address6} dev uplink`,
    ...nodes.filter(({ index }) => index !== self.index).flatMap(routesToPodsOf),
  ]);
}

/** Inside the node of a new pod: plug the pod in. */
export function plugScript({ name }: PodPlan): string {
  return script([`link set ${podPort(name)} master pods up`]);
}

/** Inside a pod. */
export function podScript({ node, index }: PodPlan): string {
  const own = podAddresses(node.index, index);
  const gateway = podGatewayOf(node.index);
  return script([
    'link set lo up',
    `address add ${own.address4}/24 dev eth0`,
    `address add ${own.address6}/64 dev eth0 nodad`,
    'link set eth0 up',
    `route add default via ${gateway.address4}`,
    `route add ::/0 via ${gateway.address6} dev eth0`,
  ]);
}

function routesToPodsOf({ index }: NodePlan): string[] {
  const via = uplinkOf(index);
  const subnets = podSubnetsOf(index);
  return [`route add ${subnets.v4} via ${via.address4}`, `route add ${subnets.v6} via ${via.address6}`];
}

/** The fabric's end of node N's cable; faults are told apart by it. */
export function fabricPort(node: number): string {
  return `n${node}`;
}

/** The node's end of a pod's cable. Interface names end at 15 characters, so pod names end at 12. */
function podPort(pod: string): string {
  return `v-${pod}`;
}

/**
 * Addresses are usable at once only without duplicate address detection, which must be off, on the links that exist and
 * for those to come, before they are up. Everything forwards, which harms nobody: a pod has nowhere to forward to.
 */
function script(batch: readonly string[]): string {
  return lines([
    'set -e',
    'for scope in /proc/sys/net/ipv6/conf/*; do',
    '  echo 0 > $scope/disable_ipv6',
    '  echo 0 > $scope/accept_dad',
    '  echo 0 > $scope/accept_ra',
    'done',
    'for scope in /proc/sys/net/ipv4/conf/*; do echo 0 > $scope/rp_filter; done',
    'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding',
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
    "ip -batch - <<'END'",
    ...batch,
    'END',
  ]);
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`;
}
