/**
 * Access decided the slow way, written from the meaning of policies and from nothing of `proxy/access/` but its types: no
 * index, no partial evaluation, no compiled patterns.
 * @module
 */

import type {
  AccessOperation,
  AccessPolicy,
  AccessRule,
  AccessRules,
  AccessSource,
  AccessWindow,
} from '../../../proxy/access/policy.ts';

export interface NaiveCall {
  readonly identity: string | undefined;
  readonly address: string;
  readonly labels: readonly Readonly<Record<string, string>>[];
  readonly destination: {
    readonly namespace: string;
    readonly service: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly port: number;
  };
  /** undefined: bytes that are not HTTP. */
  readonly request:
    | {
        readonly method: string;
        readonly path: string;
        readonly host: string;
        readonly headers: readonly (readonly [string, string])[];
      }
    | undefined;
  readonly nowMs: number;
}

export interface NaiveDecision {
  readonly isAllowed: boolean;
  readonly cause: 'deny' | 'allow' | 'no-allow' | 'default';
  /** 'policy/rule' of every rule that holds. */
  readonly holding: readonly string[];
}

/** `yes` and `no` are certain; `maybe` is what cannot be known. */
type Truth = 'yes' | 'no' | 'maybe';

export function decideNaively(rules: AccessRules, call: NaiveCall): NaiveDecision {
  const inForce = rules.policies.filter(
    ({ validFromMs, validUntilMs, target }) =>
      (validFromMs === undefined || validFromMs <= call.nowMs) &&
      (validUntilMs === undefined || validUntilMs > call.nowMs) &&
      (target.namespace === undefined || target.namespace === call.destination.namespace) &&
      (target.services.length === 0 || target.services.includes(call.destination.service)) &&
      Object.entries(target.labels).every(([name, value]) => call.destination.labels[name] === value),
  );
  const holds = (policy: AccessPolicy, rule: AccessRule): boolean => {
    const truth = ruleTruth(rule, call);
    return policy.action === 'ALLOW' ? truth === 'yes' : truth !== 'no';
  };
  const holding = inForce.flatMap((policy) =>
    policy.rules.filter((rule) => holds(policy, rule)).map((rule) => `${policy.id}/${rule.name}`),
  );
  const enforced = inForce.filter(({ isDryRun }) => !isDryRun);
  const some = (action: string): boolean =>
    enforced.some((policy) => policy.action === action && policy.rules.some((rule) => holds(policy, rule)));
  if (some('DENY')) return { isAllowed: false, cause: 'deny', holding };
  if (some('ALLOW')) return { isAllowed: true, cause: 'allow', holding };
  if (enforced.some(({ action }) => action === 'ALLOW')) return { isAllowed: false, cause: 'no-allow', holding };
  return { isAllowed: rules.defaultAction === 'ALLOW', cause: 'default', holding };
}

function ruleTruth(rule: AccessRule, call: NaiveCall): Truth {
  return all([
    rule.from.length === 0 ? 'yes' : any(rule.from.map((source) => sourceTruth(source, call))),
    rule.to.length === 0 ? 'yes' : any(rule.to.map((operation) => operationTruth(operation, call))),
    rule.when.length === 0 || rule.when.some((window) => isInside(window, call.nowMs)) ? 'yes' : 'no',
  ]);
}

function sourceTruth(source: AccessSource, { identity, address, labels }: NaiveCall): Truth {
  const named = (patterns: readonly string[]): boolean =>
    identity !== undefined &&
    patterns.some((pattern) => {
      const [, domain, path] = /^spiffe:\/\/([^/]+)\/(.*)$/.exec(identity)!;
      return [identity, `${domain}/${path}`, path!].some((spelling) => fits(pattern, spelling));
    });
  const namespace = identity === undefined ? undefined : identity.split('/')[4];
  const within = (ranges: readonly string[]): boolean => ranges.some((range) => contains(range, address));
  let labelled: Truth = 'yes';
  if (Object.keys(source.labels).length > 0) {
    const each = labels.map((one) => Object.entries(source.labels).every(([name, value]) => one[name] === value));
    if (identity === undefined) labelled = 'no';
    else if (each.length === 0) labelled = 'maybe';
    else if (each.every(Boolean)) labelled = 'yes';
    else labelled = each.some(Boolean) ? 'maybe' : 'no';
  }
  return all([
    truth(source.identities.length === 0 || named(source.identities)),
    truth(!named(source.notIdentities)),
    truth(source.namespaces.length === 0 || (namespace !== undefined && source.namespaces.includes(namespace))),
    truth(namespace === undefined || !source.notNamespaces.includes(namespace)),
    truth(source.cidrs.length === 0 || within(source.cidrs)),
    truth(!within(source.notCidrs)),
    labelled,
  ]);
}

function operationTruth(operation: AccessOperation, call: NaiveCall): Truth {
  const { ports, notPorts, methods, notMethods, paths, notPaths, hosts, notHosts, headers } = operation;
  const { port } = call.destination;
  const portTruth = truth((ports.length === 0 || ports.includes(port)) && !notPorts.includes(port));
  const asksMore = [methods, notMethods, paths, notPaths, hosts, notHosts, headers].some((list) => list.length > 0);
  const { request } = call;
  if (request === undefined) return all([portTruth, asksMore ? 'maybe' : 'yes']);
  const list = (patterns: readonly string[], of: (pattern: string) => Truth): Truth => any(patterns.map(of));
  const method = (pattern: string): Truth => textTruth(pattern, request.method);
  const readings = naiveReadings(request.path.split('?')[0]!);
  const pathTruth = (patterns: readonly string[]): Truth => {
    if (readings === undefined) return 'maybe';
    const decoded = patterns.map((pattern) => safeDecode(pattern));
    if (readings.every((reading) => decoded.some((pattern) => fits(pattern, reading)))) return 'yes';
    const spellings = readings
      .map((reading) => reading.toLowerCase())
      .flatMap((reading) => [reading, reading.endsWith('/') ? reading.replace(/\/+$/, '') || '/' : `${reading}/`]);
    const isPossible = spellings.some((reading) => decoded.some((pattern) => fits(pattern.toLowerCase(), reading)));
    return isPossible ? 'maybe' : 'no';
  };
  const [name, port2] = request.host.toLowerCase().split(':') as [string, string | undefined];
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  const hostTruth = (pattern: string): Truth =>
    truth(fits(pattern.toLowerCase(), bare) || fits(pattern.toLowerCase(), port2 ? `${bare}:${port2}` : bare));
  const headerTruths = headers.map(({ name: header, values, isNot }): Truth => {
    const lines = request.headers
      .filter(([one]) => one.toLowerCase() === header.toLowerCase())
      .map(([, value]) => value);
    const each = lines.map((line) =>
      values.length === 0 ? 'yes' : any(values.map((value) => textTruth(value, line))),
    );
    let there: Truth = 'no';
    if (each.length > 0 && each.every((one) => one === 'yes')) there = 'yes';
    else if (each.some((one) => one !== 'no')) there = 'maybe';
    return isNot ? not(there) : there;
  });
  return all([
    portTruth,
    methods.length === 0 ? 'yes' : list(methods, method),
    notMethods.length === 0 ? 'yes' : not(list(notMethods, method)),
    paths.length === 0 ? 'yes' : pathTruth(paths),
    notPaths.length === 0 ? 'yes' : not(pathTruth(notPaths)),
    hosts.length === 0 ? 'yes' : list(hosts, hostTruth),
    notHosts.length === 0 ? 'yes' : not(list(notHosts, hostTruth)),
    ...headerTruths,
  ]);
}

/** Case tells, but not everybody looks at it. */
function textTruth(pattern: string, text: string): Truth {
  if (fits(pattern, text)) return 'yes';
  return fits(pattern.toLowerCase(), text.toLowerCase()) ? 'maybe' : 'no';
}

function fits(pattern: string, text: string): boolean {
  if (pattern.endsWith('*')) return text.startsWith(pattern.slice(0, -1));
  if (pattern.startsWith('*')) return text.endsWith(pattern.slice(1));
  return pattern === text;
}

function safeDecode(pattern: string): string {
  try {
    return /%(2f|5c|00|25)/i.test(pattern) ? pattern : decodeURIComponent(pattern);
  } catch {
    return pattern;
  }
}

/** Every combination of what an application may do to a path; undefined when its encoding has no one answer. */
function naiveReadings(raw: string): readonly string[] | undefined {
  let path: string;
  try {
    path = decodeURIComponent(raw);
  } catch {
    return undefined;
  }
  if (raw.includes('\\') || path.includes('\\') || [...path].some((one) => one < ' ' || one === '\x7f'))
    return undefined;
  if (path.split('/').length !== raw.split('/').length || /%[0-9A-Fa-f][0-9A-Fa-f]/.test(path)) return undefined;
  const steps: readonly ((text: string) => string)[] = [
    afterHost,
    (text) => text.split('?')[0]!.split('#')[0]!,
    (text) =>
      text
        .split('/')
        .map((part) => part.split(';')[0])
        .join('/'),
    squeeze,
    dotless,
    squeeze,
  ];
  const all = new Set<string>();
  for (let chosen = 0; chosen < 2 ** steps.length; chosen++)
    all.add(steps.reduce((text, step, i) => ((chosen >> i) & 1 ? step(text) : text), path));
  return [...all];
}

/** `//host/path` read as a reference to another host. */
function afterHost(text: string): string {
  if (!text.startsWith('//')) return text;
  const parts = text.split('/');
  while (parts[0] === '') parts.shift();
  return `/${parts.slice(1).join('/')}`;
}

function squeeze(text: string): string {
  let out = '';
  for (const character of text) if (character !== '/' || !out.endsWith('/')) out += character;
  return out;
}

function dotless(text: string): string {
  if (!text.startsWith('/')) return text;
  const out: string[] = [];
  const parts = text.split('/').slice(1);
  parts.forEach((part, i) => {
    const isLast = i === parts.length - 1;
    if (part === '..') {
      out.pop();
      if (isLast) out.push('');
    } else if (part === '.') {
      if (isLast) out.push('');
    } else out.push(part);
  });
  return `/${out.join('/')}`;
}

function contains(range: string, address: string): boolean {
  const [base, bits = '32'] = range.split('/') as [string, string | undefined];
  const number = (dotted: string): number => dotted.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(bits));
  return Math.floor(number(base) / size) === Math.floor(number(address) / size);
}

function isInside({ days, fromMinute, toMinute, timeZone }: AccessWindow, nowMs: number): boolean {
  // 'sv-SE' writes '2026-03-29 03:00:00'.
  const [date, time] = new Date(nowMs).toLocaleString('sv-SE', { timeZone }).split(' ') as [string, string];
  const today = new Date(`${date}T00:00:00Z`).getUTCDay();
  const [hour, minute] = time.split(':').map(Number) as [number, number];
  const now = hour * 60 + minute;
  const isDay = (day: number): boolean => days.length === 0 || days.includes(day);
  const crosses = toMinute <= fromMinute;
  return (
    (isDay(today) && now >= fromMinute && (crosses || now < toMinute)) ||
    (crosses && isDay((today + 6) % 7) && now < toMinute)
  );
}

function truth(value: boolean): Truth {
  return value ? 'yes' : 'no';
}

function not(value: Truth): Truth {
  if (value === 'maybe') return 'maybe';
  return value === 'yes' ? 'no' : 'yes';
}

function all(values: readonly Truth[]): Truth {
  if (values.includes('no')) return 'no';
  return values.includes('maybe') ? 'maybe' : 'yes';
}

function any(values: readonly Truth[]): Truth {
  if (values.includes('yes')) return 'yes';
  return values.includes('maybe') ? 'maybe' : 'no';
}
