import type { Form } from '../yaml-form.ts';
import { check, list, name, namespace, targetServices, text } from './fields.ts';

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
    list({
      id: 'identities',
      label: 'Callers',
      help: 'ns/shop/sa/web, a SPIFFE id, ns/shop/*, or * for any that is authenticated. Left out: anybody.',
      path: [...RULE, 'from', 0, 'identities'],
    }),
    list({
      id: 'methods',
      label: 'Methods',
      help: 'GET, POST … Left out: all.',
      path: [...RULE, 'to', 0, 'methods'],
    }),
    list({
      id: 'paths',
      label: 'Paths',
      help: 'Without query: /cart, /admin/*, *.json. Left out: all.',
      path: [...RULE, 'to', 0, 'paths'],
    }),
    text({
      id: 'until',
      label: 'In force until',
      help: 'An instant such as 2026-12-01T00:00:00Z. Left out: for good.',
      path: ['spec', 'validUntil'],
    }),
    check({
      id: 'dryRun',
      label: 'Only count (dry run)',
      help: 'Counts and logs what it would do, and does nothing. Begin with this.',
      path: ['spec', 'dryRun'],
    }),
  ],
  template: (of) => `apiVersion: weft.dev/v1alpha1
kind: AccessPolicy
metadata: { name: ${of.name}, namespace: ${of.namespace} }
spec:
  action: ALLOW
  dryRun: true
  target: { services: [${of.name}] }
  rules:
    - from: [{ identities: [ns/${of.namespace}/*] }]
`,
};
