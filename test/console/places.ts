/** Every page of the console with an address at which it has something to show. */
import { TRACE_ID } from './staged-answers.ts';

export const PLACES: readonly (readonly [name: string, path: string])[] = [
  ['topology', '/'],
  ['services', '/services'],
  ['service', '/services/pay/ledger'],
  ['service-routes', '/services/pay/ledger/routes'],
  ['service-callers', '/services/pay/ledger/callers'],
  ['service-endpoints', '/services/pay/ledger/endpoints'],
  ['service-policies', '/services/pay/ledger/policies'],
  ['service-facts', '/services/pay/ledger/facts'],
  ['edge', '/edges/pay/payments/pay/ledger?method=POST&path=/v1/entries'],
  ['traces', '/traces'],
  ['trace', `/traces/${TRACE_ID}`],
  ['logs', '/logs'],
  ['events', '/events'],
  ['policies', '/policies'],
  ['policy', '/policies/HTTPRoute/pay/ledger'],
  ['policy-diff', '/policies/HTTPRoute/pay/ledger/diff'],
  ['policy-new', '/policies/new/canary?service=pay/ledger'],
  ['policy-edit', '/policies/HTTPRoute/pay/ledger/edit'],
  ['policy-delete', '/policies/HTTPRoute/pay/ledger/edit?delete=1'],
  ['members', '/members'],
  ['member', '/members/node-6'],
  ['identities', '/identities'],
];
