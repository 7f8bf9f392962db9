import type { Form } from '../yaml-form.ts';
import { name, namespace, percent, port, service, text } from './fields.ts';

const PARENT = ['spec', 'parentRefs', 0] as const;
const BACKEND = ['spec', 'rules', 0, 'backendRefs', 0] as const;
const FILTER = ['spec', 'rules', 0, 'filters', 0] as const;
const MIRROR = [...FILTER, 'requestMirror'] as const;

export const mirrorForm: Form = {
  id: 'mirror',
  title: 'Mirror',
  kind: 'HTTPRoute',
  about: 'Sends a copy of requests to another service as well; what comes of the copy is dropped.',
  fields: [
    name,
    namespace,
    service(
      'The service whose requests are copied.',
      [...PARENT, 'name'],
      [[...BACKEND, 'name']],
      [PARENT, BACKEND, [...FILTER, 'type']],
    ),
    text({ id: 'to', label: 'Copies go to', help: 'A service.', path: [...MIRROR, 'backendRef', 'name'] }),
    port('Of the service that gets the copies.', [...MIRROR, 'backendRef', 'port']),
    percent({
      id: 'percent',
      label: 'Share copied',
      help: 'More tells more of the new service, and costs it and the network as much.',
      path: [...MIRROR, 'percent'],
    }),
  ],
  template: (of) => `apiVersion: weft.dev/v1alpha1
kind: HTTPRoute
metadata: { name: ${of.name}-mirror, namespace: ${of.namespace} }
spec:
  parentRefs: [{ group: "", kind: Service, name: ${of.name} }]
  rules:
    - filters:
        - type: RequestMirror
          requestMirror:
            backendRef: { name: ${of.name}-next, port: 8080 }
            percent: 10
      backendRefs: [{ name: ${of.name}, port: 8080 }]
`,
};
