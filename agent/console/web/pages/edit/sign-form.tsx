/** Signing: what the agent prepared is held against what is shown, signed with the key of this tab, and sent. @module */
import { useState } from 'react';
import type { DocumentCheck, DocumentWritten } from '../../../shapes/mesh.ts';
import { type OperatorKey, signDeletion, signDocument } from '../../../signing.ts';
import { differingField } from '../../editor/same-content.ts';
import { post } from '../../state/api.ts';
import { asApiError } from '../../state/hooks.ts';
import { Button, ButtonLink } from '../../ui/button.tsx';
import { Banner } from '../../ui/card.tsx';
import { showToast } from '../../ui/toast.tsx';
import { hrefOfSource } from '../common/hrefs.ts';
import { KeyField } from '../common/key-field.tsx';
import { forgetOperatorKey, useOperatorKey } from '../common/operator-key.ts';
import { signerName } from '../policies/policies-page.tsx';
import type { Check } from './use-check.ts';

interface Props {
  /** What is shown and signed; null: that the document `deletes` is deleted. */
  readonly yaml: string | null;
  readonly deletes?: NonNullable<DocumentCheck['key']>;
  readonly check: Check;
  readonly isPast: boolean;
}

export function SignForm({ yaml, deletes, check, isPast }: Props) {
  const operator = useOperatorKey();
  const [problem, setProblem] = useState<string>();
  const [isSending, setSending] = useState(false);
  const [written, setWritten] = useState<{ href: string; warning: string }>();
  const why = isPast ? 'You look at the past' : whyNot(check);

  const sign = async () => {
    if (operator === undefined || check.data === undefined) return;
    setSending(true);
    setProblem(undefined);
    setWritten(undefined);
    try {
      const answer =
        deletes === undefined
          ? await publish(operator, yaml ?? '', check.data)
          : await send(await signDeletion(operator, check.data, deletes));
      const { key } = check.data;
      if (key === null) return;
      showToast(`${key.kind} ${key.name} ${deletes === undefined ? 'signed' : 'deleted'}`);
      setWritten({ href: hrefOfSource({ ...key, rev: null, line: null }), warning: answer.warning });
    } catch (error) {
      setProblem(asApiError(error).message);
    } finally {
      setSending(false);
      check.again();
    }
  };
  return (
    <>
      {operator === undefined ? (
        <KeyField />
      ) : (
        <>
          <Button
            kind={deletes === undefined ? 'primary' : 'danger'}
            icon="key"
            disabled={why !== '' || isSending}
            title={why}
            onClick={sign}
          >
            {isSending
              ? 'Signing'
              : `${deletes === undefined ? 'Sign' : 'Sign the deletion'} as ${signerName(operator.author)}`}
          </Button>
          <Button kind="quiet" onClick={forgetOperatorKey}>
            Forget the key
          </Button>
          {why !== '' && <span className="muted">{why}</span>}
        </>
      )}
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

function whyNot({ data, isCurrent }: Check): string {
  if (data === undefined || !isCurrent) return 'Being checked';
  if (data.isDeletion && data.present === null) return 'It is not in force';
  if (data.problems.some(({ severity }) => severity === 'error')) return 'Mend the errors first';
  return data.toSign === null && !data.isDeletion ? 'The agent gave nothing to sign' : '';
}

async function publish(operator: OperatorKey, yaml: string, check: DocumentCheck): Promise<DocumentWritten> {
  const field = check.toSign === null ? undefined : differingField(yaml, check.toSign);
  if (field !== undefined)
    throw new Error(`${field}: the agent gave other content to sign than is shown; nothing was signed`);
  return send(await signDocument(operator, check));
}

function send(revision: Awaited<ReturnType<typeof signDocument>>): Promise<DocumentWritten> {
  return post<DocumentWritten>('/documents', { revision, isDryRun: false });
}
