/** What rules of routes have in common: names, backends with filters, session persistence. @module */
import { z } from 'zod';
import type { Affinity } from '../../proxy/traffic/rules.ts';
import type { BackendRef } from '../traffic/compiled.ts';
import { dnsLabel } from './resource.ts';
import { backendFilters, toActions } from './route-filters.ts';
import { backendOf, toBackend } from './route-refs.ts';
import { duration, durationOf, MAX_ITEMS, sectionName } from './traffic-fields.ts';

export const OWN_API = 'weft.dev/v1alpha1';
export const GATEWAY_APIS = [
  'gateway.networking.k8s.io/v1',
  'gateway.networking.k8s.io/v1beta1',
  'gateway.networking.k8s.io/v1alpha3',
  'gateway.networking.k8s.io/v1alpha2',
] as const;

export const ruleName = sectionName
  .optional()
  .describe('What logs and weft explain call it. Default: rule-1, rule-2 and so on.');

export const useDefaultGateways = z.enum(['All', 'None']).optional().describe('For gateways; not read.');

const backend = backendOf({
  filters: backendFilters,
  subset: dnsLabel
    .optional()
    .describe('Those endpoints alone: a subset of TrafficPolicy, or a version. Of apiVersion weft.dev/v1alpha1 alone.'),
});

export const backends = z.array(backend).max(MAX_ITEMS).default([]).describe('Where requests go, by weight.');

export function toBackends(written: z.output<typeof backends>, namespace: string): readonly BackendRef[] {
  return written.map(({ filters, subset, weight, ...ref }) => {
    const { requestHeaders, responseHeaders } = toActions(filters, namespace).actions;
    return {
      ...toBackend(ref, namespace),
      weight,
      ...(subset === undefined ? {} : { subset }),
      ...(requestHeaders === undefined ? {} : { requestHeaders }),
      ...(responseHeaders === undefined ? {} : { responseHeaders }),
    };
  });
}

export const sessionPersistence = z
  .strictObject({
    sessionName: z
      .string()
      .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, 'use at most 128 letters, digits and -_.')
      .default('weft-session')
      .describe('Name of the cookie or header.'),
    type: z.enum(['Cookie', 'Header']).default('Cookie').describe('What carries the session.'),
    absoluteTimeout: duration
      .optional()
      .describe('A session ends after this. With cookieConfig.lifetimeType Permanent.'),
    idleTimeout: duration.optional().describe('Taken, and of no effect: nobody keeps when a session was used last.'),
    cookieConfig: z
      .strictObject({
        lifetimeType: z
          .enum(['Permanent', 'Session'])
          .default('Session')
          .describe('Permanent outlives the browser, and needs absoluteTimeout.'),
      })
      .optional()
      .describe('How long a cookie lives.'),
  })
  .refine(
    ({ cookieConfig, absoluteTimeout }) => cookieConfig?.lifetimeType !== 'Permanent' || absoluteTimeout !== undefined,
    {
      path: ['absoluteTimeout'],
      message: 'must be given with cookieConfig.lifetimeType Permanent; write for example 24h',
    },
  );

export function toAffinity(written: z.output<typeof sessionPersistence>): Affinity {
  const { sessionName, type, absoluteTimeout, cookieConfig } = written;
  const isPermanent = cookieConfig?.lifetimeType === 'Permanent' && absoluteTimeout !== undefined;
  return {
    type: type === 'Cookie' ? 'cookie' : 'header',
    name: sessionName,
    ...(isPermanent ? { ttlMs: durationOf(absoluteTimeout) } : {}),
  };
}

const IDLE_NOTE = 'sessionPersistence.idleTimeout is taken and of no effect; use absoluteTimeout';

type Keeping = { readonly sessionPersistence?: z.output<typeof sessionPersistence> | undefined };

/** What rules ask for that has no effect. */
export function sessionNotes(rules: readonly Keeping[]): readonly string[] {
  return rules.some((rule) => rule.sessionPersistence?.idleTimeout !== undefined) ? [IDLE_NOTE] : [];
}

/** Rules that have no name are called by their place. Names must differ. */
export function namesDiffer(
  rules: readonly { readonly name?: string | undefined }[],
  context: z.core.$RefinementCtx,
): void {
  const seen = new Map<string, number>();
  for (const [i, { name }] of rules.entries()) {
    const called = ruleNameOf(name, i);
    const first = seen.get(called);
    if (first === undefined) seen.set(called, i);
    else {
      const message = `${called} is already that of rules[${first}]; choose another`;
      context.addIssue({ code: 'custom', path: ['rules', i, 'name'], message });
    }
  }
}

export function ruleNameOf(name: string | undefined, position: number): string {
  return name ?? `rule-${position + 1}`;
}

export const ownOnly = `is of apiVersion ${OWN_API} alone; write that, or leave it out`;
