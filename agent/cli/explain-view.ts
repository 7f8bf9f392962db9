/** How the answer of `weft explain` looks as text. @module */
import type { PolicyTrace, RuleTrace } from '../../proxy/access/explain.ts';
import type { ExplainAnswer, ExplainView } from '../access/views.ts';
import { trafficText } from './explain-traffic-view.ts';
import { table } from './output.ts';

/** First who calls, then the way of the request, then whether it is let in where that leads. */
export function explainText({ from, answers, clockSkewMs, traffic = [] }: ExplainView, nowMs: number): string {
  const who = from.identity ?? 'outside the mesh';
  const place = from.address === null ? '' : ` at ${from.address}`;
  const lines = [`from  ${who}${place}${from.note === '' ? '' : ` (${from.note})`}`];
  if (clockSkewMs !== null) {
    const seconds = (Math.abs(clockSkewMs) / 1_000).toFixed(1);
    lines.push(
      `note  the clock of this node is ${seconds} s off: windows of ALLOW count as closed, those of DENY as open`,
    );
  }
  const way = traffic.length === 0 ? [] : [trafficText(traffic, nowMs)];
  return `${lines.join('\n')}\n${[...way, ...answers.map(answerText)].join('\n')}`;
}

function answerText(answer: ExplainAnswer): string {
  const { namespace, service, servicePort, port, protocol, endpoints } = answer.destination;
  const where = endpoints.length === 1 ? endpoints[0]! : `${endpoints.length} endpoints`;
  const behind = port === servicePort ? '' : `, port ${port} there`;
  const lines = [
    `to    ${namespace}/${service}:${servicePort}/${protocol} (${where}${behind})`,
    `${VERDICT[answer.outcome]}: ${causeText(answer)}`,
    ...answer.notes.map((note) => `note  ${note}`),
  ];
  return `${lines.join('\n')}\n${policiesText(answer.policies)}`;
}

const VERDICT = { allowed: 'ALLOWED', denied: 'DENIED', depends: 'DEPENDS' } as const;

function causeText({ cause, decidedBy, seen, destination }: ExplainAnswer): string {
  const { namespace, service, servicePort } = destination;
  const level = seen === 'http' ? 'of this request' : 'of the connection';
  switch (cause) {
    case 'deny':
    case 'allow': {
      if (decidedBy === null) return `a rule ${cause === 'deny' ? 'refuses' : 'lets in'}`;
      const { policy, rule, action, revision } = decidedBy;
      return `${action} by AccessPolicy ${policy}, rule ${rule}, revision ${revision.slice(0, 12)}, because ${level}`;
    }
    case 'no-allow':
      return 'an ALLOW is about this destination, and no rule of any lets this call in';
    case 'default':
      return 'no rule is about it; the default of MeshConfig (spec.access.default) decides';
    case 'strict':
      return 'plaintext from outside the mesh, and this port is STRICT (MeshConfig spec.mtls)';
    case null:
      return `on the request: ask again with METHOD and PATH, as in weft explain --from ... --to ${namespace}/${service}:${servicePort} GET /`;
  }
}

function policiesText(policies: readonly PolicyTrace[]): string {
  if (policies.length === 0) return 'no AccessPolicy is in use\n';
  const rows = policies.flatMap((policy): { policy: PolicyTrace; rule: RuleTrace | undefined }[] =>
    policy.rules.length === 0 ? [{ policy, rule: undefined }] : policy.rules.map((rule) => ({ policy, rule })),
  );
  return table(rows, [
    { heading: 'POLICY', text: ({ policy }) => policy.policy },
    { heading: 'RULE', text: ({ rule }) => rule?.rule ?? '' },
    { heading: 'ACTION', text: ({ policy }) => (policy.isDryRun ? `${policy.action}, dry run` : policy.action) },
    { heading: 'REVISION', text: ({ policy }) => policy.revision.slice(0, 12) },
    { heading: 'HERE', text: ({ rule }) => (rule === undefined ? 'not about it' : OUTCOME[rule.outcome]) },
    { heading: 'WHY NOT', text: ({ policy, rule }) => whyNot(policy, rule) },
  ]);
}

const OUTCOME: Readonly<Record<RuleTrace['outcome'], string>> = {
  decides: 'decides',
  holds: 'holds',
  depends: 'depends',
  'no-match': 'does not hold',
};

function whyNot({ obstacle, isDryRun, action }: PolicyTrace, rule: RuleTrace | undefined): string {
  if (obstacle !== undefined) return obstacle === 'not-valid-now' ? 'outside validFrom and validUntil' : obstacle;
  if (rule === undefined) return 'it has no rule that could hold';
  if (rule.outcome === 'no-match') return rule.obstacles.join(', ');
  if (rule.outcome !== 'holds') return '';
  if (isDryRun) return 'dry run: it counts, and decides nothing';
  return action === 'AUDIT' ? 'AUDIT counts, and decides nothing' : 'another rule decides first';
}
