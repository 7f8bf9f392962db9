/** Which version of a service its callers reach: a share of them another one (canary), or all at once (blue-green). @module */
import type { Change, Form, Value } from '../yaml-form.ts';
import { name, namespace, percent, port, service, text } from './fields.ts';

const PARENT = ['spec', 'parentRefs', 0] as const;
const RULE_NAME = ['spec', 'rules', 0, 'name'] as const;
const BACKENDS = ['spec', 'rules', 0, 'backendRefs'] as const;
const PORT_HELP = 'The port that callers dial.';
const SERVICE_HELP = 'The service whose callers are split.';
/** What no field says, and every template has. */
const FIXED = [[...PARENT, 'group'], [...PARENT, 'kind'], RULE_NAME] as const;

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
    service(
      SERVICE_HELP,
      [...PARENT, 'name'],
      [
        [...BACKENDS, 0, 'name'],
        [...BACKENDS, 1, 'name'],
      ],
      FIXED,
    ),
    port(PORT_HELP, [...BACKENDS, 0, 'port'], [...BACKENDS, 1, 'port']),
    text({
      id: 'from',
      label: 'Present version',
      help: 'The value of the label version that has the traffic now.',
      path: [...BACKENDS, 0, 'subset'],
    }),
    text({
      id: 'to',
      label: 'New version',
      help: 'The value of the label version that gets a share.',
      path: [...BACKENDS, 1, 'subset'],
    }),
    percent({
      id: 'share',
      label: 'Share of the new version',
      help: 'More shows failures sooner and lets more callers feel them; the rest stays with the present version.',
      path: [...BACKENDS, 1, 'weight'],
      covers: [[...BACKENDS, 0, 'weight']],
      write: writeShare,
    }),
  ],
  template: (of) => `apiVersion: weft.dev/v1alpha1
kind: HTTPRoute
metadata: { name: ${of.name}, namespace: ${of.namespace} }
spec:
  parentRefs: [{ group: "", kind: Service, name: ${of.name} }]
  rules:
    - name: canary
      backendRefs:
        - { name: ${of.name}, port: 8080, subset: v1, weight: 90 }
        - { name: ${of.name}, port: 8080, subset: v2, weight: 10 }
`,
};

export const blueGreenForm: Form = {
  id: 'blue-green',
  title: 'Blue-green',
  kind: 'HTTPRoute',
  about: 'Sends all requests for a service to one version of it, and with one edit to another.',
  fields: [
    name,
    namespace,
    service(SERVICE_HELP, [...PARENT, 'name'], [[...BACKENDS, 0, 'name']], FIXED),
    port(PORT_HELP, [...BACKENDS, 0, 'port']),
    text({
      id: 'version',
      label: 'Version in use',
      help: 'The value of the label version that gets every request. Write the old one again to go back.',
      path: [...BACKENDS, 0, 'subset'],
    }),
  ],
  template: (of) => `apiVersion: weft.dev/v1alpha1
kind: HTTPRoute
metadata: { name: ${of.name}, namespace: ${of.namespace} }
spec:
  parentRefs: [{ group: "", kind: Service, name: ${of.name} }]
  rules:
    - name: blue-green
      backendRefs: [{ name: ${of.name}, port: 8080, subset: v1 }]
`,
};
