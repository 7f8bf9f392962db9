/** Where a request goes and why, as nine steps: the answer of `weft explain`, put in the order in which things happen. Pure. @module */
import type { ExplainAnswer, ExplainView } from '../../access/views.ts';
import type { Coverage } from '../../mesh-query/shapes.ts';
import type { SettingView, SourceView, TrafficView, WayView } from '../../traffic/explain/views.ts';
import type { Source } from '../shapes/common.ts';
import type { Explained, ExplainQuestion, ExplainStep } from '../shapes/edge.ts';
import { percent } from './health.ts';
import { settingWords } from './setting-words.ts';

type Line = ExplainStep['lines'][number];
const MAX_LOST = 20;
const MAX_ENDPOINTS = 12;

export interface ExplainedParts {
  readonly question: ExplainQuestion;
  readonly view: ExplainView;
  readonly agreement: Explained['agreement'];
  /** Of an earlier moment: what of its documents is not known; null: of now. */
  readonly lacking: readonly string[] | null;
  readonly coverage: Coverage;
}

export function explainedView({ question, view, agreement, lacking, coverage }: ExplainedParts): Explained {
  const { from, answers, outcome, traffic = [] } = view;
  const ways = traffic.flatMap((one) => one.ways.map((way) => ({ traffic: one, way })));
  const answered = ways.length > 0 && ways.every(({ way }) => way.answer !== null);
  const settings = (groups: readonly string[]): readonly Line[] =>
    ways
      .flatMap(({ way }) => [...way.settings, ...way.backends.flatMap((backend) => backend.settings)])
      .filter(({ setting }) => groups.includes(setting.split('.')[0]!))
      .map(settingLine);
  const verdict = answered ? 'answered' : outcome === 'allowed' || outcome === 'denied' ? outcome : 'unknown';
  const steps: ExplainStep[] = [
    step('caller', [
      line(from.identity ?? 'outside the mesh, without an identity'),
      ...(from.note === '' ? [] : [line(from.note)]),
    ]),
    routeStep(traffic, ways),
    step(
      'limits',
      ways.flatMap(({ way }) => limitLines(way)),
      'no limit and no fault is about it',
    ),
    step(
      'split',
      ways.flatMap(({ way }) => splitLines(way)),
      'to the service that was called',
    ),
    step('timeout', unique(settings(['timeouts'])), 'no timeout but those of the data plane'),
    step('retries', unique(settings(['retries', 'retryBudget'])), 'nothing is repeated'),
    step(
      'endpoint',
      ways.flatMap(({ way }) => endpointLines(way)),
      'no endpoint is known',
    ),
    step('circuit', unique(settings(['circuit', 'outliers', 'concurrency', 'panicBelow'])), 'no circuit is set'),
    accessStep(answers),
  ];
  return {
    verdict,
    why: whyOf(verdict, answers, ways),
    steps: lacking === null ? steps : steps.map(withNote),
    agreement,
    command: commandOf(question),
    lacking: lacking === null ? null : [...lacking],
    coverage,
  };
}

/** What documents do not say is not kept, and so it is of now. */
const OF_NOW: Partial<Record<ExplainStep['step'], string>> = {
  caller: 'Its identity and labels are those of now.',
  endpoint: 'Endpoints are those of now: those of then are not kept.',
};

function withNote(one: ExplainStep): ExplainStep {
  const note = OF_NOW[one.step];
  return note === undefined ? one : { ...one, lines: [...one.lines, line(note)] };
}

function routeStep(traffic: readonly TrafficView[], ways: readonly { readonly way: WayView }[]): ExplainStep {
  const won = traffic.flatMap(({ considered }) => considered.filter((one) => one.outcome === 'won'));
  const lost = traffic.flatMap(({ considered }) => considered.filter((one) => one.outcome !== 'won'));
  const notes = traffic.flatMap((one) => one.notes);
  return {
    ...step('route', [
      ...(won.length > 0
        ? won.map(({ source, why }) =>
            line(`${source.kind} ${source.namespace}/${source.name} rule ${source.rule}: ${why}`, source),
          )
        : [line(ways.length === 0 && traffic.length > 0 ? '404: no rule takes the request' : 'no route is about it')]),
      ...notes.map((note) => line(note)),
    ]),
    lost: lost.slice(0, MAX_LOST).map(({ source, match, why }) => ({
      text: `${source.kind} ${source.namespace}/${source.name} rule ${source.rule}, match ${match}`,
      from: sourceOf(source),
      why,
    })),
    isEnd: ways.length === 0 && traffic.length > 0,
  };
}

function limitLines({ limits, faults, answer }: WayView): readonly Line[] {
  return [
    ...limits.map(({ source, requestsPerSecond, burst, per, isShadow, at }) =>
      line(
        `${requestsPerSecond} a second per ${per}, burst ${burst}, counted at the ${at}${isShadow ? ', in shadow mode' : ''}`,
        source,
      ),
    ),
    ...faults.map(({ source, effects, until }) => line(`fault: ${effects.join(', ')}, until ${until}`, source)),
    ...(answer === null ? [] : [line(`answered by the mesh: ${answer}`)]),
  ];
}

function splitLines({ source, share, backends }: WayView): readonly Line[] {
  return backends.map((backend) => {
    const name = backend.service === '' ? 'a backend' : `${backend.service}:${backend.port}`;
    const subset = backend.subset === null ? '' : ` subset ${backend.subset}`;
    const problem = backend.problem === null ? '' : `: status 500: ${backend.problem}`;
    return line(`${percent(backend.share * share)} to ${name}${subset}${problem}`, source);
  });
}

function endpointLines({ backends }: WayView): readonly Line[] {
  const all = backends.flatMap(({ endpoints }) => endpoints);
  const usable = all.filter(({ isCandidate }) => isCandidate).length;
  if (all.length === 0) return [];
  return [
    line(`one of ${usable === all.length ? '' : `${usable} of `}${all.length} endpoint${all.length === 1 ? '' : 's'}`),
    ...all.slice(0, MAX_ENDPOINTS).map((one) => {
      const ejected = one.isEjected === true ? ', ejected' : '';
      const version = one.version === '' ? '' : `, version ${one.version}`;
      const left = one.isCandidate ? '' : ': left out';
      return line(`${one.id} at ${one.address}${version}, node ${one.node}, ${one.state}${ejected}${left}`);
    }),
  ];
}

function accessStep(answers: readonly ExplainAnswer[]): ExplainStep {
  const lines = answers.map((answer) => line(`${answer.outcome}: ${reasonOf(answer)}`, policySource(answer.decidedBy)));
  const lost = answers.flatMap(({ policies, decidedBy }) =>
    policies.flatMap((policy) =>
      policy.rules
        .filter(({ rule }) => policy.policy !== decidedBy?.policy || rule !== decidedBy.rule)
        .map((rule) => ({
          text: `AccessPolicy ${policy.policy} rule ${rule.rule} (${policy.action})`,
          from: policySource(policy),
          why: rule.outcome === 'no-match' ? rule.obstacles.join(', ') : rule.outcome,
        })),
    ),
  );
  return {
    ...step('access', lines, 'nothing is known of this destination'),
    lost: lost.slice(0, MAX_LOST),
    isEnd: answers.length > 0 && answers.every(({ outcome }) => outcome === 'denied'),
  };
}

function reasonOf({ cause, decidedBy }: ExplainAnswer): string {
  switch (cause) {
    case 'deny':
    case 'allow':
      return decidedBy === null
        ? 'a rule'
        : `${decidedBy.action} by AccessPolicy ${decidedBy.policy} rule ${decidedBy.rule}`;
    case 'no-allow':
      return 'an ALLOW is about this destination, and no rule of any lets this call in';
    case 'default':
      return 'no rule is about it; the default of MeshConfig decides';
    case 'strict':
      return 'plaintext from outside the mesh, and this port is STRICT';
    case null:
      return 'it depends on the request';
  }
}

function whyOf(
  verdict: Explained['verdict'],
  answers: readonly ExplainAnswer[],
  ways: readonly { readonly way: WayView }[],
): string {
  if (verdict === 'answered') return ways.map(({ way }) => way.answer).join('; ');
  const [first] = answers;
  return first === undefined ? 'nothing is known of this destination' : reasonOf(first);
}

function settingLine(setting: SettingView): Line {
  return line(settingWords(setting), setting.source);
}

/** Several ways may have the same settings. */
function unique(lines: readonly Line[]): readonly Line[] {
  return [...new Map(lines.map((one) => [JSON.stringify(one), one])).values()];
}

function step(name: ExplainStep['step'], lines: readonly Line[], otherwise = ''): ExplainStep {
  return { step: name, lines: lines.length === 0 ? [line(otherwise)] : [...lines], lost: [], isEnd: false };
}

function line(text: string, from: SourceView | Source | null = null): Line {
  return { text, from: from === null ? null : 'revision' in from ? sourceOf(from) : from };
}

function sourceOf({ kind, namespace, name, revision }: SourceView): Source {
  return { kind, namespace, name, rev: revision, line: null };
}

function policySource(decided: { readonly policy: string; readonly revision: string } | null): Source | null {
  if (decided === null || decided.policy === '') return null;
  const [namespace = '', name = ''] = decided.policy.split('/');
  return { kind: 'AccessPolicy', namespace, name, rev: decided.revision, line: null };
}

export function commandOf({ from, to, port, method, path, headers }: ExplainQuestion): string {
  const given = headers.map(([name, value]) => ` -H ${quoted(`${name}: ${value}`)}`).join('');
  const target = port === null ? to : `${to}:${port}`;
  return `weft explain --from ${quoted(from)} --to ${quoted(target)}${given} ${quoted(method)} ${quoted(path)}`;
}

function quoted(text: string): string {
  return /^[\w@%+=:,./{}-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
