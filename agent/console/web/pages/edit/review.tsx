/** The four checks before signing: it is valid, this differs, these callers would feel it, these nodes are ready. @module */
import type { ReactNode } from 'react';
import type { DocumentCheck } from '../../../shapes/mesh.ts';
import { count, plural } from '../../format/numbers.ts';
import { CopyButton } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Diff } from '../../ui/diff.tsx';
import { ErrorState } from '../../ui/states.tsx';
import { StatusMark } from '../../ui/status-mark.tsx';
import { ServiceName } from '../common/figures.tsx';
import { SignForm } from './sign-form.tsx';
import type { Check } from './use-check.ts';

interface Props {
  /** null: the document `deletes` is to be deleted. */
  readonly yaml: string | null;
  readonly deletes?: NonNullable<DocumentCheck['key']>;
  readonly check: Check;
  readonly isPast: boolean;
}

export function Review({ yaml, deletes, check, isPast }: Props) {
  const { data, error } = check;
  return (
    <Card title="Review" aside={check.isCurrent ? undefined : 'checking'}>
      {error !== undefined && data === undefined ? (
        <ErrorState error={error} onRetry={check.again} />
      ) : data === undefined ? (
        <p className="muted">Checked when the YAML can be read.</p>
      ) : (
        <>
          <ul className="checks">
            <Valid problems={data.problems} isDeletion={data.isDeletion} />
            <Differs yaml={yaml} present={data.present} />
            <Affects affected={data.affected} affectedCoverage={data.affectedCoverage} />
            <Nodes nodes={data.nodes} />
            {data.key !== null && <Undo {...data.key} />}
          </ul>
          <div className="row">
            <SignForm {...{ yaml, check, isPast }} {...(deletes === undefined ? {} : { deletes })} />
            {yaml === null ? (
              <CopyButton text={data.command}>Copy weft delete</CopyButton>
            ) : (
              <CopyButton text={`${data.command} <<'EOF'\n${yaml.trimEnd()}\nEOF`}>Copy weft apply</CopyButton>
            )}
          </div>
        </>
      )}
    </Card>
  );
}

/** What takes it back once it is signed. */
function Undo({ kind, namespace, name }: NonNullable<DocumentCheck['key']>) {
  return (
    <Line name="Undo">
      <code>{`weft undo ${kind} ${name}${namespace === '' ? '' : ` -n ${namespace}`}`}</code>
    </Line>
  );
}

function Line({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <li>
      <b>{name}</b>
      <div>{children}</div>
    </li>
  );
}

function Valid({ problems, isDeletion }: Pick<DocumentCheck, 'problems' | 'isDeletion'>) {
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  return (
    <Line name="Valid">
      {problems.length === 0 && (
        <StatusMark health="ok">
          {isDeletion ? 'It is in force, and can go' : 'Valid, and nothing to advise'}
        </StatusMark>
      )}
      <ul className="plain-lines">
        {problems.map(({ code, severity, field, line, message, fix }) => (
          <li key={`${code} ${field} ${message}`}>
            <StatusMark health={severity === 'error' ? 'bad' : 'warn'}>{code}</StatusMark>
            <span>
              {line !== null && `Line ${line}: `}
              {field !== '' && <code>{field}</code>} {message} {fix !== '' && <span className="muted">{fix}</span>}
            </span>
          </li>
        ))}
      </ul>
      {errors > 0 && <p className="muted">{plural(errors, 'error')} to mend before it can be signed.</p>}
    </Line>
  );
}

function Differs({ yaml, present }: { readonly yaml: string | null; readonly present: DocumentCheck['present'] }) {
  return (
    <Line name="Differs">
      {present === null ? (
        <StatusMark health="quiet">{yaml === null ? 'Nothing goes' : 'A new document; nothing is replaced'}</StatusMark>
      ) : (
        <Diff
          left={present.yaml}
          right={yaml ?? ''}
          leftName={`In force, ${present.rev.slice(0, 8)}`}
          rightName={yaml === null ? 'deleted' : 'yours'}
        />
      )}
    </Line>
  );
}

function Affects({ affected, affectedCoverage }: Pick<DocumentCheck, 'affected' | 'affectedCoverage'>) {
  const missing = affectedCoverage?.missing ?? [];
  return (
    <Line name="Affects">
      {affected.length === 0 ? (
        <StatusMark health="quiet">No call of the last hour</StatusMark>
      ) : (
        <ul className="plain-lines">
          {affected.map((one) => (
            <li key={`${one.service} ${one.to}`}>
              <ServiceName id={one.service} isWhole />
              <span className={one.changed !== null && one.changed > 0 ? 'is-warn strong' : 'muted'}>
                {affectedWords(one)}
              </span>
              {one.how.length > 0 && <span className="muted">{one.how.join('; ')}</span>}
            </li>
          ))}
        </ul>
      )}
      {missing.length > 0 && (
        <p className="muted">Without what {missing.map(({ node }) => node).join(', ')} counted: no answer.</p>
      )}
    </Line>
  );
}

function affectedWords({ to, requests, changed, unknown }: DocumentCheck['affected'][number]): string {
  if (changed === null) return `${count(requests)} requests to ${to} in the last hour; how they would end is not known`;
  const words = `${count(changed)} of ${count(requests)} requests to ${to} in the last hour would end differently`;
  return unknown === 0 ? words : `${words}; of ${count(unknown)} it is not known`;
}

function Nodes({ nodes }: Pick<DocumentCheck, 'nodes'>) {
  const ready = nodes.filter(({ isReady }) => isReady === true);
  const others = nodes.filter(({ isReady }) => isReady !== true);
  return (
    <Line name="Nodes">
      <StatusMark
        health={others.length === 0 ? 'ok' : 'unknown'}
      >{`${ready.length} of ${plural(nodes.length, 'node')} ready`}</StatusMark>
      {others.length > 0 && (
        <p className="muted">
          {others
            .map(({ node, isReady }) => `${node} ${isReady === null ? 'is not known' : 'is not ready'}`)
            .join(', ')}
          . They take it when they are heard again.
        </p>
      )}
    </Line>
  );
}
