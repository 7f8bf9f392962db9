/**
 * `weft explain` as a whole: the way of a request, and whether it is let in where that leads.
 *
 * Access is judged by the destination. Where routes lead to other services than the one that was dialled, it is told for
 * these; else for the service itself.
 * @module
 */
import { common, type ExplainQuestion, type ExplainWorld, explainCall } from '../../access/explain.ts';
import { type Resolved, resolveCaller } from '../../access/resolve.ts';
import type { ExplainView } from '../../access/views.ts';
import type { TrafficWorld } from './dialled.ts';
import { explainTraffic } from './explain.ts';
import type { TrafficView } from './views.ts';

export function explainWhole(
  question: ExplainQuestion,
  access: ExplainWorld,
  traffic: TrafficWorld,
): Resolved<ExplainView> {
  const dialled = explainCall(question, access);
  const ways = explainTraffic(question, traffic);
  if (!ways.ok) return dialled;
  const caller = resolveCaller(question.from, access.register);
  if (!caller.ok || (dialled.ok && !ways.value.some(leadsElsewhere))) {
    return dialled.ok ? { ok: true, value: { ...dialled.value, traffic: ways.value } } : dialled;
  }
  const backends = [...new Set(ways.value.flatMap(backendsOf))];
  const answers = backends.flatMap((to) => {
    const there = explainCall({ ...question, to }, access);
    return there.ok ? there.value.answers : [];
  });
  const { identity, address, labels, note } = caller.value;
  return {
    ok: true,
    value: {
      node: access.node,
      at: new Date(access.nowMs).toISOString(),
      from: { asked: question.from, identity: identity ?? null, address: address ?? null, labels, note },
      to: question.to,
      outcome: common(answers.map(({ outcome }) => outcome)),
      clockSkewMs: access.clockSkewMs ?? null,
      answers,
      traffic: ways.value,
    },
  };
}

function leadsElsewhere(view: TrafficView): boolean {
  return backendsOf(view).some((backend) => backend !== `${view.service}:${view.port}`);
}

function backendsOf({ ways }: TrafficView): readonly string[] {
  return ways.flatMap(({ backends }) =>
    backends
      .filter(({ share, problem }) => share > 0 && problem === null)
      .map(({ service, port }) => `${service}:${port}`),
  );
}
