/** Policies written short. @module */

import type {
  AccessOperation,
  AccessPolicy,
  AccessRule,
  AccessRules,
  AccessSource,
} from '../../../proxy/access/policy.ts';

export function rules(policies: readonly AccessPolicy[], changes: Partial<AccessRules> = {}): AccessRules {
  return { policies, defaultAction: 'ALLOW', permissive: [], ...changes };
}

/** Policies of namespace `shop` about all its services, with one rule. */
export function allow(name: string, rule: Partial<AccessRule> = {}): AccessPolicy {
  return policy('ALLOW', name, rule);
}

export function deny(name: string, rule: Partial<AccessRule> = {}): AccessPolicy {
  return policy('DENY', name, rule);
}

function policy(action: AccessPolicy['action'], name: string, rule: Partial<AccessRule>): AccessPolicy {
  return {
    id: `shop/${name}`,
    revision: '1',
    action,
    isDryRun: false,
    target: { namespace: 'shop', services: [], labels: {} },
    rules: [{ name: 'r0', from: [], to: [], when: [], ...rule }],
  };
}

export function source(changes: Partial<AccessSource>): AccessSource {
  return {
    identities: [],
    notIdentities: [],
    namespaces: [],
    notNamespaces: [],
    cidrs: [],
    notCidrs: [],
    labels: {},
    ...changes,
  };
}

export function operation(changes: Partial<AccessOperation>): AccessOperation {
  return {
    ports: [],
    notPorts: [],
    methods: [],
    notMethods: [],
    paths: [],
    notPaths: [],
    hosts: [],
    notHosts: [],
    headers: [],
    ...changes,
  };
}
