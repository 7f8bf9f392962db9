/**
 * Whether access rules let observed calls in, by the data plane's own matchers (proxy/access/), and which rule says so. What a
 * rule asks of headers, hosts, unknown addresses, or of a part of the paths of a route, may hold or not: where the answer hangs on
 * that, it is `unknown`. Pure.
 *
 * Remembers 50,000 answers; then it forgets them all.
 * @module
 */
import {
  type AccessInForce,
  type AccessLabels,
  AccessRuleset,
  type CompiledRule,
} from '../../../proxy/access/compile.ts';
import {
  type AccessDestination,
  type BoundRule,
  bindRule,
  type Decision,
  otherwise,
  targetObstacle,
} from '../../../proxy/access/destination.ts';
import { type Certainty, type OperationMatcher, opposite, pathPattern } from '../../../proxy/access/match.ts';
import type { Pattern } from '../../../proxy/access/patterns.ts';
import type { AccessRules } from '../../../proxy/access/policy.ts';
import { DescribedRequest } from '../../../proxy/access/request.ts';
import { any, type Holds, type ObservedCall, ObservedPath } from './observed.ts';
import { type Peer, type Places, sourceHolds } from './places.ts';

export interface ReplayTime {
  readonly nowMs: number;
  readonly isAtAnyTime?: boolean;
}

export interface AccessVerdict {
  readonly outcome: 'allowed' | 'denied' | 'unknown';
  /** The rule that decides; of `unknown` those that may. Of a default: `policy` ''. */
  readonly rules: readonly AccessLabels[];
  /** Two that hang on the same unknowns have the same. */
  readonly grounds: string;
}

/** In plaintext, at a port that takes none. */
const STRICT: AccessLabels = { policy: '', rule: 'strict', action: 'DENY', isDryRun: false };
const MAX_KNOWN = 50_000;

export class AccessReplay {
  readonly #inForce: AccessInForce;
  readonly #places: Places;
  readonly #isAtAnyTime: boolean;
  readonly #known = new Map<string, AccessVerdict>();
  /** By service. */
  readonly #doors = new Map<string, readonly Door[]>();

  /**
   * @param isAtAnyTime whether calls may have been, or will be, when rules with a time are open and when they are not; else
   * rules count as they do now
   * @throws AccessError for rules that cannot be compiled
   */
  constructor(rules: AccessRules, places: Places, { nowMs, isAtAnyTime = false }: ReplayTime) {
    this.#inForce = new AccessRuleset(rules).at(nowMs);
    this.#places = places;
    this.#isAtAnyTime = isAtAnyTime;
  }

  judge(call: ObservedCall): AccessVerdict {
    const { source, destination, protocol, method, route } = call;
    const key = [source, destination, protocol === 'tcp', method, route].join('\0');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    const peer = this.#places.peer(source);
    let doors = this.#doors.get(destination);
    if (doors === undefined) {
      doors = this.#places.destinations(destination).map((one) => this.#doorOf(one));
      this.#doors.set(destination, doors);
    }
    const asked = new Asked(call);
    const verdict = together(doors.map((door) => judgeAt(door, peer, asked)));
    this.#known.set(key, verdict);
    return verdict;
  }

  #doorOf(destination: AccessDestination): Door {
    const { policies, source } = this.#inForce.ruleset;
    const about = policies.filter(
      (one) =>
        !one.policy.isDryRun &&
        this.#inForce.hasPolicy(one) &&
        targetObstacle(one.policy.target, destination) === undefined,
    );
    const deciding = about.filter(({ policy }) => policy.action !== 'AUDIT').flatMap((one) => one.rules);
    const hasAllow = about.some(({ policy }) => policy.action === 'ALLOW');
    const counts = (rule: CompiledRule): boolean => this.#isAtAnyTime || this.#inForce.hasRule(rule);
    return {
      rules: deciding.flatMap((rule) => (counts(rule) ? (bindRule(rule, destination.port) ?? []) : [])),
      isAtAnyTime: this.#isAtAnyTime,
      otherwise: otherwise(hasAllow, source.defaultAction),
      isPermissive: source.permissive.some(
        ({ namespace, service, port, untilMs }) =>
          namespace === destination.namespace &&
          service === destination.service &&
          port === destination.port &&
          untilMs > this.#inForce.nowMs,
      ),
    };
  }
}

/** A port, with the rules that are about it. */
interface Door {
  readonly rules: readonly BoundRule[];
  readonly isAtAnyTime: boolean;
  readonly otherwise: Decision;
  readonly isPermissive: boolean;
}

function judgeAt(door: Door, peer: Peer, asked: Asked): AccessVerdict {
  if (peer.identity === undefined && !door.isPermissive) return settled(false, STRICT);
  const held = door.rules.flatMap((bound): Held[] => {
    const { compiled } = bound;
    const holds = ruleHolds(bound, peer, asked);
    if (holds === 'no') return [];
    return [{ compiled, holds: door.isAtAnyTime && compiled.rule.when.length > 0 ? 'maybe' : holds }];
  });
  return decided(held, door.otherwise);
}

interface Held {
  readonly compiled: CompiledRule;
  readonly holds: Exclude<Holds, 'no'>;
}

/** DENY beats ALLOW beats what is otherwise, as in proxy/access/destination.ts. */
function decided(held: readonly Held[], { isAllowed, labels }: Decision): AccessVerdict {
  const of = (action: string): readonly Held[] => held.filter(({ compiled }) => compiled.labels.action === action);
  const [denies, allows] = [of('DENY'), of('ALLOW')];
  const isSure = ({ holds }: Held): boolean => holds === 'yes';
  const deny = denies.find(isSure);
  if (deny !== undefined) return settled(false, deny.compiled.labels);
  const allow = allows.find(isSure);
  const openAllows = allow === undefined && !isAllowed ? allows : [];
  const isLetIn = allow !== undefined || isAllowed;
  if (!isLetIn && openAllows.length === 0) return settled(false, labels);
  if (denies.length === 0 && openAllows.length === 0) return settled(true, allow?.compiled.labels ?? labels);
  const open = [...denies, ...openAllows].map(({ compiled }) => compiled);
  return {
    outcome: 'unknown',
    rules: open.map((compiled) => compiled.labels),
    grounds: JSON.stringify([isLetIn, open.map(({ labels: { action }, rule }) => [action, rule])]),
  };
}

function settled(isAllowed: boolean, labels: AccessLabels): AccessVerdict {
  return { outcome: isAllowed ? 'allowed' : 'denied', rules: [labels], grounds: String(isAllowed) };
}

/** Of all ports and workloads that the call may have been to; of none it is not known. */
function together(verdicts: readonly AccessVerdict[]): AccessVerdict {
  const [first] = verdicts;
  const rules = [
    ...new Map(verdicts.flatMap((one) => one.rules).map((one) => [`${one.policy} ${one.rule}`, one])).values(),
  ];
  if (
    first !== undefined &&
    verdicts.every(({ outcome, grounds }) => outcome === first.outcome && grounds === first.grounds)
  )
    return { ...first, rules };
  return { outcome: 'unknown', rules, grounds: JSON.stringify(verdicts.map(({ grounds }) => grounds)) };
}

/** The call as matchers are asked about it. */
class Asked {
  readonly isOpaque: boolean;
  readonly isMethodKnown: boolean;
  readonly path: ObservedPath;
  readonly request: DescribedRequest;
  readonly #lower: ObservedPath;

  constructor({ protocol, method, route }: ObservedCall) {
    this.isOpaque = protocol === 'tcp';
    this.isMethodKnown = method !== '' && method !== 'OTHER';
    this.path = new ObservedPath(route);
    this.#lower = this.path.lowerCase();
    this.request = new DescribedRequest({ method, host: '', path: route, headers: [] });
  }

  /** As rules compare paths: those that refuse in any case. */
  pathHolds(pattern: Pattern, certainty: Certainty): Holds {
    const { kind, text } = pathPattern(pattern, certainty);
    const path = certainty === 'may' ? this.#lower : this.path;
    if (kind === 'exact') return path.is(text);
    return kind === 'prefix' ? path.startsWith(text) : path.endsWith(text);
  }
}

function ruleHolds(bound: BoundRule, peer: Peer, asked: Asked): Holds {
  const { sources, labels } = bound.compiled;
  const from = sources.length === 0 ? 'yes' : any(sources.map((source) => sourceHolds(source, peer)));
  if (from === 'no' || bound.isUnconditional) return from;
  const certainty = labels.action === 'ALLOW' ? 'surely' : 'may';
  const to = any(bound.operations.map((operation) => operationHolds(operation, asked, certainty)));
  return to === 'yes' ? from : to;
}

/** A path that is known as a whole is the matcher's to read; of others each pattern is held against all that they may be. */
function operationHolds(matcher: OperationMatcher, asked: Asked, certainty: Certainty): Holds {
  if (asked.isOpaque) return matcher.obstacle(undefined) === undefined ? 'yes' : 'no';
  const { methods, notMethods, hosts, notHosts, headers } = matcher.patterns;
  const obstacle = matcher.obstacle(asked.request);
  const isByMethod = methods.length + notMethods.length > 0;
  if (asked.isMethodKnown && (obstacle === 'methods' || obstacle === 'notMethods')) return 'no';
  const isByHost = hosts.length + notHosts.length > 0;
  const isRead = asked.path.isWhole && !isByHost && (asked.isMethodKnown || !isByMethod);
  const path = isRead
    ? obstacle === 'paths' || obstacle === 'notPaths'
      ? 'no'
      : 'yes'
    : pathHolds(matcher, asked, certainty);
  if (path === 'no') return 'no';
  const isOpen = isByHost || headers.length > 0 || (isByMethod && !asked.isMethodKnown);
  return isOpen ? 'maybe' : path;
}

function pathHolds({ patterns: { paths, notPaths } }: OperationMatcher, asked: Asked, certainty: Certainty): Holds {
  const holds = paths.length === 0 ? 'yes' : any(paths.map((path) => asked.pathHolds(path, certainty)));
  const holdsNot = any(notPaths.map((path) => asked.pathHolds(path, opposite(certainty))));
  if (holds === 'no' || holdsNot === 'yes') return 'no';
  return holdsNot === 'maybe' ? 'maybe' : holds;
}
