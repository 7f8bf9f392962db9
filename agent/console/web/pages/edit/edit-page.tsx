/** A document written or changed: form and YAML side by side, checked as one types, reviewed, and signed here. @module */
import { useState } from 'react';
import type { DocumentCheck, DocumentDetail } from '../../../shapes/mesh.ts';
import { useParams, usePlace } from '../../app/router.tsx';
import { useRange } from '../../app/time.ts';
import { FORMS, formFor } from '../../editor/forms.ts';
import { readField, setValue, writeField, yamlProblem } from '../../editor/yaml-form.ts';
import { useGet } from '../../state/hooks.ts';
import { Banner, Card } from '../../ui/card.tsx';
import { EmptyState } from '../../ui/states.tsx';
import { Answer } from '../common/answer.tsx';
import { Frame } from '../common/frame.tsx';
import { NO_NAMESPACE } from '../common/hrefs.ts';
import { FormFields } from './form-fields.tsx';
import { Review } from './review.tsx';
import { useCheck } from './use-check.ts';

/** `/policies/new/canary?service=pay/ledger` */
export function NewPage() {
  const { form: id = '' } = useParams();
  const { query } = usePlace();
  const form = FORMS.find((one) => one.id === id);
  if (form === undefined) {
    return (
      <Frame title="No such form">
        <EmptyState
          why={`There are forms for ${FORMS.map((one) => one.id).join(', ')}.`}
          command="weft apply -f FILE"
        />
      </Frame>
    );
  }
  const [namespace = 'default', name = 'service'] = (query.get('service') ?? 'default/service').split('/');
  const from = query.get('from');
  let yaml = form.template({ namespace, name });
  if (form.id === 'access' && from?.includes('/')) {
    const [ns, workload] = from.split('/');
    yaml = setValue(yaml, ['spec', 'rules', 0, 'from', 0, 'identities'], [`ns/${ns}/sa/${workload}`]);
  }
  return <Editor key={`${id} ${query.get('service')}`} title={`New ${form.title.toLowerCase()}`} start={yaml} />;
}

/** `/policies/RateLimit/pay/ledger/edit`; with `?undo=REVISION` it begins with what was so before that one, with `?delete=1` it goes. */
export function EditPage() {
  const { kind = '', ns = '', name = '' } = useParams();
  const { query } = usePlace();
  const undone = query.get('undo');
  const read = useGet<DocumentDetail>(`/documents/${[kind, ns, name].map(encodeURIComponent).join('/')}`);
  const full = `${kind} ${ns === NO_NAMESPACE ? '' : `${ns}/`}${name}`;
  if (query.get('delete') === '1') {
    const deletes = { kind, namespace: ns === NO_NAMESPACE ? '' : ns, name };
    return <Deletion key={full} title={`Delete ${full}`} deletes={deletes} />;
  }
  if (read.data !== undefined && undone !== null) return <Undo detail={read.data} undone={undone} full={full} />;
  if (read.data !== undefined) return <Editor title={`Change ${full}`} start={read.data.yaml} />;
  return (
    <Frame title={`Change ${kind} ${name}`}>
      <Answer read={read} what="the document">
        {() => null}
      </Answer>
    </Frame>
  );
}

interface UndoProps {
  readonly detail: DocumentDetail;
  /** The revision to take back. */
  readonly undone: string;
  readonly full: string;
}

/** What was so before is signed as a new revision. Where nothing was, the document has to go. */
function Undo({ detail: { document, revisions }, undone, full }: UndoProps) {
  const at = revisions.findIndex(({ rev }) => rev === undone);
  const earlier = at < 0 ? undefined : revisions[at + 1]?.yaml;
  if (typeof earlier === 'string') return <Editor title={`Undo the last change of ${full}`} start={earlier} />;
  const { kind, namespace, name } = document;
  const note = 'Nothing is known of before that revision: undoing it deletes the document.';
  return <Deletion title={`Undo ${full}`} deletes={{ kind, namespace, name }} note={note} />;
}

interface DeletionProps {
  readonly title: string;
  readonly deletes: NonNullable<DocumentCheck['key']>;
  readonly note?: string;
}

/** Shown before it is signed, and checked as what is published is. */
function Deletion({ title, deletes, note }: DeletionProps) {
  const { atMs } = useRange();
  const { kind, namespace, name } = deletes;
  const check = useCheck({ deletes });
  return (
    <Frame title={title} command={`weft delete ${kind} ${name}${namespace === '' ? '' : ` -n ${namespace}`}`}>
      {note !== undefined && <Banner tone="warn">{note}</Banner>}
      {atMs !== null && <Banner tone="warn">You look at the past. Go back to live to write.</Banner>}
      <Review yaml={null} deletes={deletes} check={check} isPast={atMs !== null} />
    </Frame>
  );
}

function Editor({ title, start }: { readonly title: string; readonly start: string }) {
  const [yaml, setYaml] = useState(start);
  const { atMs } = useRange();
  const form = formFor(readKind(yaml), yaml);
  const problem = yamlProblem(yaml);
  const check = useCheck(problem === undefined ? { yaml } : null);
  return (
    <Frame title={title} about={form?.about} command="weft apply -f FILE">
      {atMs !== null && <Banner tone="warn">You look at the past. Go back to live to write.</Banner>}
      <div className="edit">
        <Card title="Form" aside={form === undefined ? 'none for this kind' : form.kind}>
          {form === undefined ? (
            <p className="muted">Write the YAML; it is checked as you type.</p>
          ) : (
            <FormFields
              form={form}
              yaml={yaml}
              problems={check.data?.problems ?? []}
              onChange={(field, value) => setYaml((text) => writeField(text, field, value))}
            />
          )}
        </Card>
        <Card title="YAML" aside="this is what is signed">
          <textarea
            className="edit-text"
            aria-label="YAML"
            aria-invalid={problem !== undefined}
            aria-describedby="yaml-problem"
            spellCheck={false}
            rows={Math.max(16, yaml.split('\n').length + 1)}
            value={yaml}
            onChange={(event) => setYaml(event.target.value)}
          />
          <p id="yaml-problem" className="is-bad" role="status">
            {problem && `Line ${problem.line}: ${problem.message}`}
          </p>
        </Card>
      </div>
      <Review yaml={yaml} check={check} isPast={atMs !== null} />
    </Frame>
  );
}

function readKind(yaml: string): string {
  const kind = readField(yaml, { id: 'kind', label: '', input: 'text', help: '', path: ['kind'] });
  return typeof kind === 'string' ? kind : '';
}
