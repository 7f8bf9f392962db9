/** Signing: the key is read from its file into this tab, what the agent prepared is read and signed, the result stays here. @module */
import { useState } from 'react';
import { parse } from 'yaml';
import type { DocumentWrite, DocumentWritten } from '../../../shapes/mesh.ts';
import { readOperatorKey, signStatement, toBase64 } from '../../editor/sign.ts';
import { post } from '../../state/api.ts';
import { asApiError } from '../../state/hooks.ts';
import { Button, ButtonLink } from '../../ui/button.tsx';
import { Banner } from '../../ui/card.tsx';
import { showToast } from '../../ui/toast.tsx';
import { hrefOfSource } from '../common/hrefs.ts';
import { holdOperatorKey, useOperatorKey } from './operator-key.ts';
import type { Check } from './use-check.ts';

interface Props {
  readonly yaml: string;
  readonly check: Check;
  readonly isPast: boolean;
}

export function SignForm({ yaml, check, isPast }: Props) {
  const operator = useOperatorKey();
  const [problem, setProblem] = useState<string>();
  const [isSending, setSending] = useState(false);
  const [written, setWritten] = useState<{ href: string; warning: string }>();
  const hasErrors = check.data?.problems.some(({ severity }) => severity === 'error') ?? true;
  const why = isPast
    ? 'You look at the past'
    : hasErrors
      ? 'Mend the errors first'
      : !check.isCurrent
        ? 'Being checked'
        : check.data?.toSign == null
          ? 'The agent gave nothing to sign: your role may not write this kind here'
          : '';

  const choose = async (files: FileList | null) => {
    if (files === null || files.length === 0) return;
    try {
      holdOperatorKey(await readOperatorKey([...files]));
      setProblem(undefined);
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  const sign = async () => {
    const { data } = check;
    if (operator === undefined || data === undefined || data.toSign === null) return;
    setSending(true);
    setProblem(undefined);
    try {
      const { kind, metadata } = parse(yaml) as { kind: string; metadata: { name: string; namespace?: string } };
      const expected = { kind, namespace: metadata.namespace ?? '', name: metadata.name, base: data.base ?? '' };
      const body = data.body ?? null;
      const { statement, signature } = await signStatement(operator, data.toSign, body, expected);
      const { number, base, hlc, author } = statement;
      const revision: DocumentWrite['revision'] = {
        ...{ kind, namespace: expected.namespace, name: expected.name, number, base, hlc, author, body },
        certificate: toBase64(operator.certificate),
        signature: toBase64(signature),
      };
      const answer = await post<DocumentWritten>('/documents', { revision, isDryRun: false } satisfies DocumentWrite);
      if (answer.outcome === 'refused' || answer.outcome === 'conflict') {
        setProblem(`${answer.reason || answer.outcome}: ${answer.detail}`);
        check.again();
      } else {
        showToast(`${kind} ${metadata.name} signed`);
        setWritten({ href: hrefOfSource({ ...expected, rev: null, line: null }), warning: answer.warning });
      }
    } catch (error) {
      setProblem(asApiError(error).message);
    } finally {
      setSending(false);
    }
  };
  return (
    <>
      {operator === undefined ? (
        <label className="control">
          Choose operator.key and operator.crt
          <input
            type="file"
            multiple
            className="unseen"
            aria-label="Operator's key and certificate"
            onChange={(event) => choose(event.target.files)}
          />
        </label>
      ) : (
        <>
          <Button kind="primary" icon="key" disabled={why !== '' || isSending} title={why} onClick={sign}>
            {isSending ? 'Signing' : `Sign with ${operator.name}`}
          </Button>
          <Button kind="quiet" onClick={() => holdOperatorKey(undefined)}>
            Forget the key
          </Button>
        </>
      )}
      {operator !== undefined && why !== '' && <span className="muted">{why}</span>}
      {problem !== undefined && (
        <p className="is-bad" role="alert">
          {problem}
        </p>
      )}
      {written !== undefined && (
        <Banner tone="ok" actions={<ButtonLink to={`${written.href}/nodes`}>See it on the nodes</ButtonLink>}>
          <p role="status">Signed and taken. {written.warning}</p>
        </Banner>
      )}
    </>
  );
}
