/**
 * `kind: AccessPolicy`: who may call what, and when. Close to Istio's AuthorizationPolicy where it says the same; it is
 * evaluated at the agent of the destination (proxy/access/). Here is what people write, checked, and its way to plain data.
 * @module
 */
import { z } from 'zod';
import { AccessRuleset } from '../../proxy/access/compile.ts';
import type { AccessOperation, AccessPolicy, AccessRule, AccessWindow } from '../../proxy/access/policy.ts';
import { OPEN_ACCESS } from '../../proxy/access/policy.ts';
import { messageOf } from '../errors.ts';
import {
  headerName,
  hostPattern,
  instant,
  method,
  minuteOf,
  pathPattern,
  timeOfDay,
  timeZone,
  valuePattern,
} from './access-fields.ts';
import { given, labels, saysSomething, source, toSource } from './call-source.ts';
import { type Compiled, compileBySchema, type DocumentKind } from './kind.ts';
import { dnsLabel, dnsName } from './resource.ts';

/** Policies of this namespace are about every namespace. */
export const SYSTEM_NAMESPACE = 'weft-system';
/** As compiled: the revision is known to whoever takes it into use. */
export type CompiledAccessPolicy = Omit<AccessPolicy, 'revision'>;

const MAX_LIST = 256;
const MAX_RULES = 256;
const MAX_PARTS = 64;
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;

const list = <T extends z.ZodType>(of: T, what: string) => z.array(of).min(1).max(MAX_LIST).optional().describe(what);
const port = z.int().min(1).max(65_535);

const header = z.strictObject({
  name: headerName.describe('In any case of letters.'),
  values: list(
    valuePattern,
    'Values, or parts with * at one end; any of them. Left out: it is enough that the header is there.',
  ),
  not: z.boolean().default(false).describe('The header is not there, or has none of the values.'),
});

const operation = z
  .strictObject({
    ports: list(port, 'Where the application listens.'),
    notPorts: list(port, 'Ports that are left out.'),
    methods: list(method, 'HTTP methods.'),
    notMethods: list(method, 'HTTP methods that are left out.'),
    paths: list(pathPattern, 'Paths without query: /cart, /admin/*, *.json.'),
    notPaths: list(pathPattern, 'Paths that are left out.'),
    hosts: list(hostPattern, 'Hosts as the caller names them: cart.shop.weft, *.example.org.'),
    notHosts: list(hostPattern, 'Hosts that are left out.'),
    headers: z.array(header).min(1).max(MAX_PARTS).optional().describe('Headers; all of them must hold.'),
  })
  .refine(saysSomething, 'says nothing, and so would mean everything; name a field, or leave out to')
  .describe('What is called. All fields that are given must hold. All but ports are about HTTP.');

const window = z
  .strictObject({
    days: z.array(z.enum(DAYS)).min(1).max(7).optional().describe('Days on which it opens; left out: every day.'),
    from: timeOfDay.default('00:00').describe('Opens at this time of day.'),
    to: timeOfDay
      .default('24:00')
      .describe('Closes at this time of day; on the next day when it is not later than from.'),
    timeZone: timeZone.default('UTC').describe('Whose clock, by its IANA name: Europe/Berlin.'),
  })
  .refine(({ from, to }) => from !== to, 'to: is the same as from; leave both out for the whole day')
  .refine(({ from }) => from !== '24:00', 'from: 24:00 is the end of a day; write 00:00')
  .describe('A part of the week.');

const rule = z
  .strictObject({
    name: dnsLabel.optional().describe('What logs and weft explain call it. Default: rule-1, rule-2 and so on.'),
    from: z.array(source).min(1).max(MAX_PARTS).optional().describe('Any of these callers; left out: anybody.'),
    to: z.array(operation).min(1).max(MAX_PARTS).optional().describe('Any of these calls; left out: all.'),
    when: z.array(window).min(1).max(MAX_PARTS).optional().describe('In any of these windows; left out: always.'),
  })
  .describe('Holds when one of from, one of to and one of when hold.');

const spec = z
  .strictObject({
    action: z
      .enum(['ALLOW', 'DENY', 'AUDIT'])
      .default('ALLOW')
      .describe(
        'DENY beats ALLOW. What an ALLOW is about is closed to whom no ALLOW names. AUDIT counts and logs, and decides nothing.',
      ),
    dryRun: z.boolean().default(false).describe('Count and log what it would do, and do nothing.'),
    validFrom: instant.optional().describe('In force from then on.'),
    validUntil: instant.optional().describe('In force until then.'),
    target: z
      .strictObject({
        services: list(dnsLabel, 'Services of the namespace; left out: all.'),
        labels: labels.optional().describe('Labels that the workload called must have.'),
      })
      .default({})
      .describe('What it protects: workloads of its namespace; with namespace weft-system, of all namespaces.'),
    rules: z.array(rule).min(1).max(MAX_RULES).describe('It holds when any of its rules does.'),
  })
  .superRefine(({ validFrom, validUntil, rules }, context) => {
    if (validFrom !== undefined && validUntil !== undefined && Date.parse(validUntil) <= Date.parse(validFrom)) {
      const message = `${validUntil} is not after validFrom ${validFrom}; write a later instant, or leave one of them out`;
      context.addIssue({ code: 'custom', path: ['validUntil'], message });
    }
    const seen = new Map<string, number>();
    for (const [i, { name }] of rules.entries()) {
      const called = nameOf(name, i);
      const first = seen.get(called);
      if (first === undefined) seen.set(called, i);
      else {
        const message = `${called} is already that of rules[${first}]; choose another`;
        context.addIssue({ code: 'custom', path: ['rules', i, 'name'], message });
      }
    }
  });

const schema = z.strictObject({
  apiVersion: z.literal('weft.dev/v1alpha1'),
  kind: z.literal('AccessPolicy'),
  metadata: z.strictObject({
    name: dnsName.describe('Unique within its namespace.'),
    namespace: dnsLabel.describe('The namespace whose workloads it protects; weft-system for those of all namespaces.'),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
    revision: z.string().optional(),
  }),
  spec,
});

export const accessPolicyKind: DocumentKind = {
  kind: 'AccessPolicy',
  schema,
  compile: (resource): Compiled => {
    const checked = compileBySchema(schema, resource);
    if (!checked.ok) return checked;
    const value = toPolicy(checked.value as z.output<typeof schema>);
    try {
      // The workers will compile exactly this; what they could not read must not reach them.
      new AccessRuleset({ ...OPEN_ACCESS, policies: [{ ...value, revision: '' }] });
    } catch (err) {
      return { ok: false, problem: messageOf(err) };
    }
    return { ok: true, value };
  },
};

function toPolicy({ metadata, spec }: z.output<typeof schema>): CompiledAccessPolicy {
  const { namespace, name } = metadata;
  const { action, dryRun, validFrom, validUntil, target, rules } = spec;
  return {
    id: `${namespace}/${name}`,
    action,
    isDryRun: dryRun,
    ...(validFrom === undefined ? {} : { validFromMs: Date.parse(validFrom) }),
    ...(validUntil === undefined ? {} : { validUntilMs: Date.parse(validUntil) }),
    target: {
      ...(namespace === SYSTEM_NAMESPACE ? {} : { namespace }),
      services: target.services ?? [],
      labels: target.labels ?? {},
    },
    rules: rules.map(toRule),
  };
}

function toRule({ name, from = [], to = [], when = [] }: z.output<typeof rule>, position: number): AccessRule {
  return { name: nameOf(name, position), from: from.map(toSource), to: to.map(toOperation), when: when.map(toWindow) };
}

function nameOf(name: string | undefined, position: number): string {
  return name ?? `rule-${position + 1}`;
}

const EVERYTHING: AccessOperation = {
  ports: [],
  notPorts: [],
  methods: [],
  notMethods: [],
  paths: [],
  notPaths: [],
  hosts: [],
  notHosts: [],
  headers: [],
};

function toOperation({ headers = [], ...written }: z.output<typeof operation>): AccessOperation {
  return {
    ...EVERYTHING,
    ...given(written),
    headers: headers.map(({ name, values = [], not }) => ({ name, values, isNot: not })),
  };
}

function toWindow({ days = [], from, to, timeZone }: z.output<typeof window>): AccessWindow {
  return { days: days.map((day) => DAYS.indexOf(day)), fromMinute: minuteOf(from), toMinute: minuteOf(to), timeZone };
}
