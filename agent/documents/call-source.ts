/** Who calls, as AccessPolicy, routes and what targets calls write it. @module */
import { z } from 'zod';
import type { AccessSource } from '../../proxy/access/policy.ts';
import { addressRange, identityPattern } from './access-fields.ts';
import { dnsLabel } from './resource.ts';

const MAX_LIST = 256;

const list = <T extends z.ZodType>(of: T, what: string) => z.array(of).min(1).max(MAX_LIST).optional().describe(what);

export const labels = z.record(z.string().min(1).max(317), z.string().max(63));

export const source = z
  .strictObject({
    identities: list(
      identityPattern,
      'Who calls: ns/shop/sa/web, a whole SPIFFE id, ns/shop/*, or * for any that is authenticated.',
    ),
    notIdentities: list(identityPattern, 'Who does not call.'),
    namespaces: list(dnsLabel, 'Namespaces of the caller.'),
    notNamespaces: list(dnsLabel, 'Namespaces the caller is not of.'),
    cidrs: list(addressRange, 'Addresses the call comes from.'),
    notCidrs: list(addressRange, 'Addresses the call does not come from.'),
    labels: labels.optional().describe('Labels of the calling workload; it must have a port, or nobody knows them.'),
  })
  .refine(saysSomething, 'says nothing, and so would mean anybody; name a field, or leave out from')
  .describe('A caller. All fields that are given must hold.');

export const ANYBODY: AccessSource = {
  identities: [],
  notIdentities: [],
  namespaces: [],
  notNamespaces: [],
  cidrs: [],
  notCidrs: [],
  labels: {},
};

export function toSource(written: z.output<typeof source>): AccessSource {
  return { ...ANYBODY, ...given(written) };
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the fields that were left out. */
export function given<T extends object>(written: T): Given<T> {
  return Object.fromEntries(Object.entries(written).filter(([, value]) => value !== undefined)) as Given<T>;
}

export function saysSomething(written: object): boolean {
  return Object.entries(written).some(([name, value]) => name !== 'labels' || Object.keys(value as object).length > 0);
}
