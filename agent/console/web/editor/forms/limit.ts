import type { Form } from '../yaml-form.ts';
import { check, name, namespace, targetServices } from './fields.ts';

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
    check({
      id: 'shadow',
      label: 'Only count (shadow)',
      help: 'Counts what it would refuse, and refuses nothing. Begin with this.',
      path: ['spec', 'shadow'],
    }),
  ],
  template: (of) => `apiVersion: weft.dev/v1alpha1
kind: RateLimit
metadata: { name: ${of.name}-limit, namespace: ${of.namespace} }
spec:
  target: { services: [${of.name}] }
  per: caller
  requestsPerSecond: 100
  shadow: true
`,
};
