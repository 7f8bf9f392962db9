import type { Form } from '../yaml-form.ts';
import { name, namespace, percent, targetServices, text } from './fields.ts';

export const faultForm: Form = {
  id: 'fault',
  title: 'Fault',
  kind: 'FaultInjection',
  about: 'Failures on purpose, to see what callers make of them. It ends by itself.',
  fields: [
    name,
    namespace,
    targetServices,
    text({
      id: 'delay',
      label: 'Delay',
      help: 'How long requests wait before they go on: 200ms, 2s. Left out: none.',
      path: ['spec', 'delay', 'duration'],
    }),
    percent({
      id: 'delayPercent',
      label: 'Share delayed',
      help: 'Of the calls. More makes more callers wait.',
      path: ['spec', 'delay', 'percent'],
    }),
    {
      id: 'status',
      label: 'Answered with',
      input: 'number',
      min: 200,
      max: 599,
      help: 'A status such as 503; such requests go nowhere. Left out: none.',
      path: ['spec', 'abort', 'status'],
    },
    percent({
      id: 'abortPercent',
      label: 'Share answered so',
      help: 'Of the calls. More makes more callers fail.',
      path: ['spec', 'abort', 'percent'],
    }),
    text({
      id: 'ttl',
      label: 'Ends after',
      help: '1s to 168h, from when it was signed. 10m when left out.',
      path: ['spec', 'ttl'],
    }),
  ],
  template: (of) => `apiVersion: weft.dev/v1alpha1
kind: FaultInjection
metadata: { name: ${of.name}-fault, namespace: ${of.namespace} }
spec:
  target: { services: [${of.name}] }
  delay: { duration: 200ms, percent: 10 }
  ttl: 10m
`,
};
