/** The nine steps from caller to endpoint: what holds, from where, and what lost against it, struck through. @module */
import type { Explained, ExplainStep } from '../../../shapes/edge.ts';
import { ButtonLink } from '../../ui/button.tsx';
import { SourceChip } from '../../ui/chip.tsx';
import { Icon, type IconName } from '../../ui/icon.tsx';
import { StatusMark } from '../../ui/status-mark.tsx';

const STEP: Readonly<Record<ExplainStep['step'], { readonly title: string; readonly icon: IconName }>> = {
  caller: { title: 'Caller', icon: 'focus' },
  route: { title: 'Route', icon: 'list' },
  limits: { title: 'Limits', icon: 'gauge' },
  split: { title: 'Split', icon: 'split' },
  timeout: { title: 'Time allowed', icon: 'clock' },
  retries: { title: 'Retries', icon: 'retry' },
  endpoint: { title: 'Endpoint', icon: 'topology' },
  circuit: { title: 'Circuit', icon: 'activity' },
  access: { title: 'Access', icon: 'shield' },
};
const VERDICT = {
  allowed: { health: 'ok', word: 'Allowed' },
  denied: { health: 'bad', word: 'Denied' },
  answered: { health: 'warn', word: 'Answered by the mesh' },
  unknown: { health: 'unknown', word: 'Not known' },
} as const;

interface Props {
  readonly explained: Explained;
  readonly chosen: string | undefined;
  readonly onChoose: (step: string | undefined) => void;
  readonly caller: string;
  readonly called: string;
}

export function Steps({ explained, chosen, onChoose, caller, called }: Props) {
  const { verdict, why, steps } = explained;
  const end = steps.findIndex(({ isEnd }) => isEnd);
  const shown = end < 0 ? steps : steps.slice(0, end + 1);
  return (
    <section className="card steps" aria-label="From caller to endpoint">
      <p className="verdict">
        <StatusMark health={VERDICT[verdict].health} isSoft>
          {VERDICT[verdict].word}
        </StatusMark>
        <span>{why}</span>
        {verdict === 'denied' && (
          <ButtonLink icon="pencil" to={`/policies/new/access?service=${called}&from=${encodeURIComponent(caller)}`}>
            Draft a rule that allows it
          </ButtonLink>
        )}
      </p>
      <ol>
        {shown.map((step) => (
          <Step
            key={step.step}
            step={step}
            isEnd={step.isEnd && verdict !== 'allowed'}
            isChosen={step.step === chosen}
            onChoose={() => onChoose(step.step === chosen ? undefined : step.step)}
          />
        ))}
      </ol>
      {end >= 0 && end < steps.length - 1 && <p className="muted">It ends here; later steps are not reached.</p>}
    </section>
  );
}

interface StepProps {
  readonly step: ExplainStep;
  readonly isEnd: boolean;
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}

function Step({ step, isEnd, isChosen, onChoose }: StepProps) {
  const { title, icon } = STEP[step.step];
  const [first, ...rest] = step.lines;
  const source = step.lines.find(({ from }) => from !== null)?.from ?? null;
  return (
    <li className={`step${isChosen ? ' is-chosen' : ''}${isEnd ? ' is-end' : ''}`}>
      <button
        type="button"
        className="step-name"
        aria-pressed={isChosen}
        onClick={onChoose}
        title="Show its document beside"
      >
        <span className="step-icon">
          <Icon name={icon} />
        </span>
        {title}
      </button>
      <div className="step-words">
        <p className={isEnd ? 'is-bad strong' : ''}>{first?.text ?? 'Nothing is said of it.'}</p>
        {rest.map(({ text }) => (
          <p key={text} className="muted">
            {text}
          </p>
        ))}
        {step.lost.map(({ text, from, why }) => (
          <p key={`${text}${why}`} className="muted">
            <s>
              {text}
              {from !== null && ` from ${from.kind} ${from.namespace === '' ? '' : `${from.namespace}/`}${from.name}`}
            </s>{' '}
            {why}
          </p>
        ))}
      </div>
      <SourceChip source={source} />
    </li>
  );
}
