/** The guided forms: what each asks, and the document it begins with. @module */
import type { Change, Field, Form, Value } from './yaml-form.ts';

const name: Field = {
  id: 'name',
  label: 'Name',
  input: 'text',
  help: 'Unique among documents of this kind in its namespace.',
  path: ['metadata', 'name'],
};
const namespace: Field = {
  id: 'namespace',
  label: 'Namespace',
  input: 'text',
  help: 'Whose services it is about.',
  path: ['metadata', 'namespace'],
};
const targetServices: Field = {
  id: 'services',
  label: 'Services',
  input: 'list',
  help: 'Calls to these. Left out: to all services of the namespace.',
  path: ['spec', 'target', 'services'],
};

const BACKENDS = ['spec', 'rules', 0, 'backendRefs'] as const;

/** The two shares of a canary always make 100, and so one field is both. */
function writeShare(value: Value): readonly Change[] {
  const share = Math.min(100, Math.max(0, Math.round(Number(value))));
  if (!Number.isFinite(share)) return [];
  return [
    [[...BACKENDS, 0, 'weight'], 100 - share],
    [[...BACKENDS, 1, 'weight'], share],
  ];
}

export const canaryForm: Form = {
  id: 'canary',
  title: 'Canary',
  kind: 'HTTPRoute',
  about: 'Sends a share of the requests for a service to another version of it.',
  fields: [
    name,
    namespace,
    {
      id: 'service',
      label: 'Service',
      input: 'text',
      help: 'The service whose callers are split.',
      path: ['spec', 'parentRefs', 0, 'name'],
      covers: [
        ['spec', 'parentRefs', 0, 'group'],
        ['spec', 'parentRefs', 0, 'kind'],
        [...BACKENDS, 0, 'name'],
        [...BACKENDS, 1, 'name'],
        ['spec', 'rules', 0, 'name'],
      ],
      write: (value) => [
        [['spec', 'parentRefs', 0, 'name'], value],
        [[...BACKENDS, 0, 'name'], value],
        [[...BACKENDS, 1, 'name'], value],
      ],
    },
    {
      id: 'port',
      label: 'Port',
      input: 'number',
      min: 1,
      max: 65_535,
      help: 'The port that callers dial.',
      path: [...BACKENDS, 0, 'port'],
      covers: [[...BACKENDS, 1, 'port']],
      write: (value) => [
        [[...BACKENDS, 0, 'port'], Number(value)],
        [[...BACKENDS, 1, 'port'], Number(value)],
      ],
    },
    {
      id: 'from',
      label: 'Present version',
      input: 'text',
      help: 'The value of the label version that has the traffic now.',
      path: [...BACKENDS, 0, 'subset'],
    },
    {
      id: 'to',
      label: 'New version',
      input: 'text',
      help: 'The value of the label version that gets a share.',
      path: [...BACKENDS, 1, 'subset'],
    },
    {
      id: 'share',
      label: 'Share of the new version',
      input: 'number',
      unit: '%',
      min: 0,
      max: 100,
      help: 'More shows failures sooner and lets more callers feel them; the rest stays with the present version.',
      path: [...BACKENDS, 1, 'weight'],
      covers: [[...BACKENDS, 0, 'weight']],
      write: writeShare,
    },
  ],
  template: ({ namespace, name }) => `apiVersion: weft.dev/v1alpha1
kind: HTTPRoute
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  parentRefs: [{ group: "", kind: Service, name: ${name} }]
  rules:
    - name: canary
      backendRefs:
        - { name: ${name}, port: 8080, subset: v1, weight: 90 }
        - { name: ${name}, port: 8080, subset: v2, weight: 10 }
`,
};

export const limitForm: Form = {
  id: 'limit',
  title: 'Limit',
  kind: 'RateLimit',
  about: 'Answers 429 to requests beyond a rate. Each node counts for itself.',
  fields: [
    name,
    namespace,
    targetServices,
    {
      id: 'per',
      label: 'Counted for',
      input: 'choice',
      choices: ['target', 'workload', 'route', 'caller'],
      help: 'What has a rate of its own: the target as a whole, each workload called, each route, each caller.',
      path: ['spec', 'per'],
    },
    {
      id: 'rate',
      label: 'Requests',
      input: 'number',
      unit: 'a second',
      min: 0.001,
      max: 1_000_000,
      help: 'Lower protects more and refuses sooner.',
      path: ['spec', 'requestsPerSecond'],
    },
    {
      id: 'burst',
      label: 'Burst',
      input: 'number',
      unit: 'requests',
      min: 1,
      max: 1_000_000,
      help: 'How many at once. Left out: those of a second. More lets short peaks through.',
      path: ['spec', 'burst'],
    },
    {
      id: 'shadow',
      label: 'Only count (shadow)',
      input: 'check',
      help: 'Counts what it would refuse, and refuses nothing. Begin with this.',
      path: ['spec', 'shadow'],
    },
  ],
  template: ({ namespace, name }) => `apiVersion: weft.dev/v1alpha1
kind: RateLimit
metadata: { name: ${name}-limit, namespace: ${namespace} }
spec:
  target: { services: [${name}] }
  per: caller
  requestsPerSecond: 100
  shadow: true
`,
};

const RULE = ['spec', 'rules', 0] as const;

export const accessForm: Form = {
  id: 'access',
  title: 'Access',
  kind: 'AccessPolicy',
  about: 'Says who may call what. What an ALLOW is about is closed to whom no ALLOW names.',
  fields: [
    name,
    namespace,
    {
      id: 'action',
      label: 'Action',
      input: 'choice',
      choices: ['ALLOW', 'DENY', 'AUDIT'],
      help: 'DENY beats ALLOW. AUDIT counts and logs, and decides nothing.',
      path: ['spec', 'action'],
    },
    targetServices,
    {
      id: 'identities',
      label: 'Callers',
      input: 'list',
      help: 'ns/shop/sa/web, a SPIFFE id, ns/shop/*, or * for any that is authenticated. Left out: anybody.',
      path: [...RULE, 'from', 0, 'identities'],
    },
    {
      id: 'methods',
      label: 'Methods',
      input: 'list',
      help: 'GET, POST … Left out: all.',
      path: [...RULE, 'to', 0, 'methods'],
    },
    {
      id: 'paths',
      label: 'Paths',
      input: 'list',
      help: 'Without query: /cart, /admin/*, *.json. Left out: all.',
      path: [...RULE, 'to', 0, 'paths'],
    },
    {
      id: 'until',
      label: 'In force until',
      input: 'text',
      help: 'An instant such as 2026-12-01T00:00:00Z. Left out: for good.',
      path: ['spec', 'validUntil'],
    },
    {
      id: 'dryRun',
      label: 'Only count (dry run)',
      input: 'check',
      help: 'Counts and logs what it would do, and does nothing. Begin with this.',
      path: ['spec', 'dryRun'],
    },
  ],
  template: ({ namespace, name }) => `apiVersion: weft.dev/v1alpha1
kind: AccessPolicy
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  action: ALLOW
  dryRun: true
  target: { services: [${name}] }
  rules:
    - from: [{ identities: [ns/${namespace}/*] }]
`,
};

const MIRROR = ['spec', 'rules', 0, 'filters', 0, 'requestMirror'] as const;

export const mirrorForm: Form = {
  id: 'mirror',
  title: 'Mirror',
  kind: 'HTTPRoute',
  about: 'Sends a copy of requests to another service as well; what comes of the copy is dropped.',
  fields: [
    name,
    namespace,
    {
      id: 'service',
      label: 'Service',
      input: 'text',
      help: 'The service whose requests are copied.',
      path: ['spec', 'parentRefs', 0, 'name'],
      covers: [
        ['spec', 'parentRefs', 0],
        [...BACKENDS, 0],
        ['spec', 'rules', 0, 'filters', 0, 'type'],
      ],
      write: (value) => [
        [['spec', 'parentRefs', 0, 'name'], value],
        [[...BACKENDS, 0, 'name'], value],
      ],
    },
    { id: 'to', label: 'Copies go to', input: 'text', help: 'A service.', path: [...MIRROR, 'backendRef', 'name'] },
    {
      id: 'port',
      label: 'Port',
      input: 'number',
      min: 1,
      max: 65_535,
      help: 'Of the service that gets the copies.',
      path: [...MIRROR, 'backendRef', 'port'],
    },
    {
      id: 'percent',
      label: 'Share copied',
      input: 'number',
      unit: '%',
      min: 0,
      max: 100,
      help: 'More tells more of the new service, and costs it and the network as much.',
      path: [...MIRROR, 'percent'],
    },
  ],
  template: ({ namespace, name }) => `apiVersion: weft.dev/v1alpha1
kind: HTTPRoute
metadata: { name: ${name}-mirror, namespace: ${namespace} }
spec:
  parentRefs: [{ group: "", kind: Service, name: ${name} }]
  rules:
    - filters:
        - type: RequestMirror
          requestMirror:
            backendRef: { name: ${name}-next, port: 8080 }
            percent: 10
      backendRefs: [{ name: ${name}, port: 8080 }]
`,
};

export const faultForm: Form = {
  id: 'fault',
  title: 'Fault',
  kind: 'FaultInjection',
  about: 'Failures on purpose, to see what callers make of them. It ends by itself.',
  fields: [
    name,
    namespace,
    targetServices,
    {
      id: 'delay',
      label: 'Delay',
      input: 'text',
      help: 'How long requests wait before they go on: 200ms, 2s. Left out: none.',
      path: ['spec', 'delay', 'duration'],
    },
    {
      id: 'delayPercent',
      label: 'Share delayed',
      input: 'number',
      unit: '%',
      min: 0,
      max: 100,
      help: 'Of the calls. More makes more callers wait.',
      path: ['spec', 'delay', 'percent'],
    },
    {
      id: 'status',
      label: 'Answered with',
      input: 'number',
      min: 200,
      max: 599,
      help: 'A status such as 503; such requests go nowhere. Left out: none.',
      path: ['spec', 'abort', 'status'],
    },
    {
      id: 'abortPercent',
      label: 'Share answered so',
      input: 'number',
      unit: '%',
      min: 0,
      max: 100,
      help: 'Of the calls. More makes more callers fail.',
      path: ['spec', 'abort', 'percent'],
    },
    {
      id: 'ttl',
      label: 'Ends after',
      input: 'text',
      help: '1s to 168h, from when it was signed. 10m when left out.',
      path: ['spec', 'ttl'],
    },
  ],
  template: ({ namespace, name }) => `apiVersion: weft.dev/v1alpha1
kind: FaultInjection
metadata: { name: ${name}-fault, namespace: ${namespace} }
spec:
  target: { services: [${name}] }
  delay: { duration: 200ms, percent: 10 }
  ttl: 10m
`,
};

export const FORMS: readonly Form[] = [canaryForm, limitForm, accessForm, mirrorForm, faultForm];

/** The form for a document that is there already; undefined where none fits, and the text alone is edited. */
export function formFor(kind: string, yaml: string): Form | undefined {
  if (kind === 'HTTPRoute') return yaml.includes('requestMirror') ? mirrorForm : canaryForm;
  return FORMS.find((form) => form.kind === kind);
}
