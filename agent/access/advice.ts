/** What is allowed to say in an access document and yet is probably a mistake: told to whoever writes it, refused by nobody. @module */
import type { AccessPolicy, PermissivePort } from '../../proxy/access/policy.ts';
import type { CompiledAccessPolicy } from '../documents/access-policy.ts';
import { nearest } from '../nearest.ts';

export interface KnownService {
  readonly namespace: string;
  readonly service: string;
}

/** @param services those of the mesh as this node knows it now */
export function adviceOnPolicy(
  { target, validUntilMs, rules }: CompiledAccessPolicy,
  services: readonly KnownService[],
  nowMs: number,
): readonly string[] {
  const { namespace } = target;
  const inReach = services.filter((known) => namespace === undefined || known.namespace === namespace);
  const unknown = target.services.filter((name) => !inReach.some(({ service }) => service === name));
  return [
    ...unknown.map((name) => unknownService({ namespace: namespace ?? '*', service: name }, inReach)),
    ...(validUntilMs !== undefined && validUntilMs <= nowMs ? ['it takes no effect: validUntil has passed'] : []),
    ...labelAdvice(rules),
  ];
}

export function adviceOnPermissive(
  ports: readonly PermissivePort[],
  services: readonly KnownService[],
  nowMs: number,
): readonly string[] {
  return ports.flatMap(({ namespace, service, port, untilMs }) => [
    ...(services.some((known) => known.namespace === namespace && known.service === service)
      ? []
      : [
          unknownService(
            { namespace, service },
            services.filter((known) => known.namespace === namespace),
          ),
        ]),
    ...(untilMs <= nowMs ? [`${namespace}/${service}:${port} is STRICT: until has passed`] : []),
  ]);
}

function unknownService({ namespace, service }: KnownService, known: readonly KnownService[]): string {
  const guess = nearest(
    service,
    known.map((one) => one.service),
  );
  const hint = guess === undefined ? '' : `; did you mean ${guess}?`;
  return `no service ${namespace}/${service} is known now${hint}`;
}

/** Labels choose among callers of equal identity; alone they let in whoever may label a workload. */
function labelAdvice(rules: AccessPolicy['rules']): readonly string[] {
  const bare = rules.filter(({ from }) =>
    from.some((source) => Object.keys(source.labels).length > 0 && source.identities.length === 0),
  );
  return bare.map(
    ({ name }) => `rule ${name} goes by labels alone, which any workload file may say; name identities too`,
  );
}
