/** Beside the steps: the document of the chosen one at its line, and whether other nodes would decide the same. @module */

import type { Explained, ExplainStep } from '../../../shapes/edge.ts';
import type { DocumentDetail } from '../../../shapes/mesh.ts';
import { useRange } from '../../app/time.ts';
import { useGet } from '../../state/hooks.ts';
import { Card } from '../../ui/card.tsx';
import { SourceChip } from '../../ui/chip.tsx';
import { Code } from '../../ui/code.tsx';
import { StatusMark } from '../../ui/status-mark.tsx';
import { Answer } from '../common/answer.tsx';
import { NO_NAMESPACE } from '../common/hrefs.ts';

export function DocumentAt({ step }: { readonly step: ExplainStep }) {
  const source = step.lines.find(({ from }) => from !== null)?.from ?? null;
  if (source === null) {
    return (
      <Card title="No document">
        <p className="muted">No document says anything of this; the default holds.</p>
      </Card>
    );
  }
  return <Shown key={`${source.kind}${source.namespace}${source.name}`} source={source} />;
}

function Shown({ source }: { readonly source: NonNullable<ExplainStep['lines'][number]['from']> }) {
  const place = [source.kind, source.namespace || NO_NAMESPACE, source.name].map(encodeURIComponent).join('/');
  const { atMs, atApi } = useRange();
  const read = useGet<DocumentDetail>(`/documents/${place}${atApi}`);
  return (
    <Card title="Document" aside={<SourceChip source={source} />}>
      <Answer read={read} what="the document">
        {({ yaml, document }) => (
          <>
            <Code text={yaml} name="The document" markedLine={source.line} around={6} />
            <p className="muted">
              Signed by {document.signer}.
              {atMs === null && ` Applied on ${document.nodesApplied} of ${document.nodesTotal} nodes.`}
            </p>
          </>
        )}
      </Answer>
    </Card>
  );
}

export function Agreement({ explained: { agreement } }: { readonly explained: Explained }) {
  const same = agreement.filter(({ isSame }) => isSame === true);
  const others = agreement.filter(({ isSame }) => isSame !== true).toSorted((a) => (a.isSame === false ? -1 : 1));
  return (
    <Card title="Agreement between nodes">
      <ul className="plain-lines">
        {others.map(({ node, isSame, why }) => (
          <li key={node}>
            <StatusMark health={isSame === false ? 'warn' : 'unknown'} isGlyphOnly />
            <span>
              {node} {isSame === false ? 'would decide otherwise' : 'is not known'}
              {why !== '' && <span className="muted">: {why}</span>}
            </span>
          </li>
        ))}
        {same.length > 0 && (
          <li>
            <StatusMark health="ok" isGlyphOnly />
            <span>
              {same
                .map(({ node }) => node)
                .sort()
                .join(', ')}{' '}
              would decide the same
            </span>
          </li>
        )}
      </ul>
    </Card>
  );
}
