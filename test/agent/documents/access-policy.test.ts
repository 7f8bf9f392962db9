/** AccessPolicy as people write it: what it becomes, and what is said of mistakes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { readResources } from '../../../agent/cli/document-files.ts';
import { accessPolicyKind } from '../../../agent/documents/access-policy.ts';
import { meshAccessOf, meshConfigKind } from '../../../agent/documents/mesh-config.ts';
import type { Resource } from '../../../agent/documents/resource.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-policy-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const metadata = { name: 'cart', namespace: 'shop' };

function policy(spec: object, changes: object = {}): Resource {
  return { apiVersion: 'weft.dev/v1alpha1', kind: 'AccessPolicy', metadata, spec, ...changes } as Resource;
}

/** What the CLI says of a file with this policy. */
function mistakes(resource: Resource): string {
  const file = join(directory, 'policy.yaml');
  writeFileSync(file, stringify(resource));
  try {
    readResources(file);
    return '';
  } catch (err) {
    return (err as Error).message.replaceAll(`${directory}/`, '');
  }
}

describe('a policy', () => {
  test('becomes plain data with every default filled in', () => {
    const written = policy({
      action: 'DENY',
      dryRun: true,
      validFrom: '2026-01-01T00:00:00Z',
      validUntil: '2026-07-01T02:00:00+02:00',
      target: { services: ['cart'], labels: { tier: 'back' } },
      rules: [
        {
          name: 'no-web-at-night',
          from: [{ identities: ['ns/shop/sa/web', 'spiffe://prod.example/ns/shop/*'], notCidrs: ['10.0.0.0/8'] }],
          to: [{ ports: [8080], methods: ['GET'], headers: [{ name: 'X-Beta', values: ['on'], not: true }] }],
          when: [{ days: ['mon', 'sun'], from: '22:00', to: '06:30', timeZone: 'Europe/Berlin' }],
        },
        { to: [{ paths: ['/admin/*'] }] },
      ],
    });
    expect(mistakes(written)).toBe('');
    expect(accessPolicyKind.compile(written)).toEqual({
      ok: true,
      value: {
        id: 'shop/cart',
        action: 'DENY',
        isDryRun: true,
        validFromMs: Date.UTC(2026, 0, 1),
        validUntilMs: Date.UTC(2026, 6, 1),
        target: { namespace: 'shop', services: ['cart'], labels: { tier: 'back' } },
        rules: [
          {
            name: 'no-web-at-night',
            from: [
              {
                identities: ['ns/shop/sa/web', 'spiffe://prod.example/ns/shop/*'],
                notIdentities: [],
                namespaces: [],
                notNamespaces: [],
                cidrs: [],
                notCidrs: ['10.0.0.0/8'],
                labels: {},
              },
            ],
            to: [
              {
                ports: [8080],
                notPorts: [],
                methods: ['GET'],
                notMethods: [],
                paths: [],
                notPaths: [],
                hosts: [],
                notHosts: [],
                headers: [{ name: 'X-Beta', values: ['on'], isNot: true }],
              },
            ],
            when: [{ days: [1, 0], fromMinute: 1_320, toMinute: 390, timeZone: 'Europe/Berlin' }],
          },
          { name: 'rule-2', from: [], to: [expect.objectContaining({ paths: ['/admin/*'] })], when: [] },
        ],
      },
    });
  });

  test('says little when little is written: allow, always, everything of its namespace', () => {
    const compiled = accessPolicyKind.compile(policy({ rules: [{ from: [{ namespaces: ['shop'] }] }] }));
    expect(compiled).toMatchObject({
      value: { action: 'ALLOW', isDryRun: false, target: { namespace: 'shop', services: [], labels: {} } },
    });
    expect(compiled).not.toHaveProperty('value.validFromMs');
  });

  test('of the namespace weft-system is about all namespaces', () => {
    const everywhere = policy({ rules: [{}] }, { metadata: { name: 'all', namespace: 'weft-system' } });
    expect(accessPolicyKind.compile(everywhere)).toMatchObject({
      value: { id: 'weft-system/all', target: { services: [], labels: {} } },
    });
    expect(accessPolicyKind.compile(everywhere)).not.toHaveProperty('value.target.namespace');
  });
});

const from = (source: object) => policy({ rules: [{ from: [source] }] });
const to = (operation: object) => policy({ rules: [{ to: [operation] }] });
const when = (window: object) => policy({ rules: [{ when: [window] }] });

test.each<[string, Resource, string]>([
  ['no rules', policy({ rules: [] }), 'policy.yaml:7:3: spec.rules: has too few items; list 1 or more'],
  [
    'no namespace',
    policy({ rules: [{}] }, { metadata: { name: 'x' } }),
    'metadata.namespace: missing; it must be a text',
  ],
  ['an unknown field', policy({ rules: [{ form: [] }] }), 'spec.rules[0].form: unknown field; did you mean from?'],
  [
    'an unknown action',
    policy({ action: 'BLOCK', rules: [{}] }),
    'spec.action: BLOCK is not known; Allowed: ALLOW, DENY, AUDIT',
  ],
  ['no caller in from', policy({ rules: [{ from: [] }] }), 'spec.rules[0].from: has too few items; list 1 or more'],
  ['a caller that says nothing', from({}), 'says nothing, and so would mean anybody; name a field, or leave out from'],
  ['a call that says nothing', to({}), 'says nothing, and so would mean everything; name a field, or leave out to'],
  [
    'an identity that is none',
    from({ identities: ['web'] }),
    'spec.rules[0].from[0].identities[0]: web is no identity; write ns/NAMESPACE/sa/NAME',
  ],
  [
    'a star in the midst',
    from({ identities: ['ns/*/sa/web'] }),
    'ns/*/sa/web has a * in its midst; write * at the beginning or the end only',
  ],
  [
    'a bad range',
    from({ cidrs: ['10.0.0.0/33'] }),
    'cidrs[0]: 10.0.0.0/33 is no range of addresses; write for example 10.0.0.0/8',
  ],
  ['a port that is none', to({ ports: [70_000] }), 'ports[0]: 70000 is too large; set it to 65535 or less'],
  ['a method in small letters', to({ methods: ['get'] }), 'methods[0]: get is no method as it is sent; write GET'],
  ['a path without a slash', to({ paths: ['admin'] }), 'paths[0]: admin is no path; begin it with /'],
  ['a path with a query', to({ paths: ['/a?b=c'] }), 'has a query or fragment, which rules do not see'],
  [
    'a path that never arrives so',
    to({ paths: ['/a/../b'] }),
    '/a/../b has empty or dot segments; write the path they lead to',
  ],
  ['a path that is never let in', to({ paths: ['/a%2fb'] }), '/a%2fb has an encoded slash or backslash'],
  [
    'an unknown time zone',
    when({ timeZone: 'Europe/Berlim' }),
    'timeZone: Europe/Berlim is no time zone of the IANA data base; did you mean Europe/Berlin?',
  ],
  ['an offset for a zone', when({ timeZone: '+02:00' }), 'timeZone: +02:00 is no time zone of the IANA data base'],
  ['a time that is none', when({ from: '25:00' }), 'from: 25:00 is no time of day; write 00:00 to 23:59'],
  [
    'a window without length',
    when({ from: '08:00', to: '08:00' }),
    'when[0].to: is the same as from; leave both out for the whole day',
  ],
  ['a day that is none', when({ days: ['monday'] }), 'days[0]: monday is not known; Allowed: sun, mon'],
  [
    'an instant that is none',
    policy({ validFrom: 'tomorrow', rules: [{}] }),
    'spec.validFrom: tomorrow is no instant; write for example 2026-03-01T08:00:00Z',
  ],
  [
    'an end before the beginning',
    policy({ validFrom: '2026-02-01T00:00:00Z', validUntil: '2026-01-01T00:00:00Z', rules: [{}] }),
    'spec.validUntil: 2026-01-01T00:00:00Z is not after validFrom 2026-02-01T00:00:00Z; write a later instant',
  ],
  [
    'two rules of one name',
    policy({ rules: [{ name: 'rule-2' }, {}] }),
    'spec.rules[1].name: rule-2 is already that of rules[0]',
  ],
])('%s is a mistake, named by field, value and fix', (_what, written, message) => {
  expect(mistakes(written)).toContain(message);
  expect(accessPolicyKind.compile(written)).toMatchObject({ ok: false });
});

describe('a MeshConfig', () => {
  const config = (spec: object) =>
    ({ apiVersion: 'weft.dev/v1alpha1', kind: 'MeshConfig', metadata: { name: 'default' }, spec }) as Resource;

  test('without a word on access lets the mesh in, and no plaintext', () => {
    const compiled = meshConfigKind.compile(config({}));
    expect(compiled.ok && meshAccessOf(compiled.value)).toEqual({ defaultAction: 'ALLOW', permissive: [] });
  });

  test('sets the default and the ports that plaintext may enter for a while', () => {
    const permissive = [{ namespace: 'shop', service: 'cart', port: 8080, until: '2026-06-01T00:00:00Z' }];
    const compiled = meshConfigKind.compile(
      config({ access: { default: 'deny' }, mtls: { mode: 'STRICT', permissive } }),
    );
    expect(compiled.ok && meshAccessOf(compiled.value)).toEqual({
      defaultAction: 'DENY',
      permissive: [{ namespace: 'shop', service: 'cart', port: 8080, untilMs: Date.UTC(2026, 5, 1) }],
    });
  });

  test.each<[string, object, string]>([
    ['another mode', { mtls: { mode: 'PERMISSIVE' } }, 'spec.mtls.mode: PERMISSIVE is not known; write STRICT'],
    [
      'a permissive port without an end',
      { mtls: { permissive: [{ namespace: 'shop', service: 'cart', port: 80 }] } },
      'spec.mtls.permissive[0].until: ',
    ],
    [
      'another default',
      { access: { default: 'maybe' } },
      'spec.access.default: maybe is not known; Allowed: allow, deny',
    ],
  ])('with %s is refused', (_what, spec, message) => {
    expect(mistakes(config(spec))).toContain(message);
  });
});
