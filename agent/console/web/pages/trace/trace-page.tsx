/** One request through the mesh: a bar a span, what the mesh decided as ticks in it, guessed parents dashed. @module */
import { useState } from 'react';
import type { Trace } from '../../../shapes/mesh.ts';
import { Link, useParams } from '../../app/router.tsx';
import { shortTraceId } from '../../format/ids.ts';
import { duration, plural } from '../../format/numbers.ts';
import { moment } from '../../format/times.ts';
import { useGet, useNow } from '../../state/hooks.ts';
import { CopyButton } from '../../ui/button.tsx';
import { Answer } from '../common/answer.tsx';
import { Frame } from '../common/frame.tsx';
import { SpanDetail } from './span-detail.tsx';
import { layOut, meshTicks, type Waterfall, type WaterfallRow } from './waterfall.ts';
import './trace.css';

export function TracePage() {
  const { traceId = '' } = useParams();
  const read = useGet<Trace>(`/traces/${encodeURIComponent(traceId)}`);
  const waterfall = read.data && layOut(read.data.spans);
  const root = waterfall?.rows[0]?.span;
  const nowMs = useNow(10_000);
  return (
    <Frame
      title={root?.name ?? 'Trace'}
      status={root && <Outcome row={waterfall.rows[0]!} tookMs={waterfall.tookMs} />}
      about={
        <>
          <code>{traceId}</code>
          {waterfall && root && (
            <span>
              {plural(waterfall.rows.length, 'span')} in {plural(waterfall.services.length, 'service')}, began{' '}
              {moment(waterfall.startMs, nowMs)}
            </span>
          )}
        </>
      }
      actions={read.data && <CopyButton text={JSON.stringify(read.data, null, 2)}>Copy JSON</CopyButton>}
      command={`weft trace ${traceId}`}
    >
      <Answer
        read={read}
        what="this trace"
        isEmpty={(trace) => trace.spans.length === 0}
        empty={{
          why: `No node that answered has this trace. Traces are kept for an hour, and only a share of those that went well.`,
          command: 'weft traces',
        }}
      >
        {() => waterfall && <Bars waterfall={waterfall} />}
      </Answer>
    </Frame>
  );
}

function Outcome({ row, tookMs }: { readonly row: WaterfallRow; readonly tookMs: number }) {
  const { status, isFailed } = row.span;
  return (
    <span className={isFailed ? 'is-bad strong' : 'muted'}>
      {status === 0 ? (isFailed ? 'failed' : 'ended') : status} after {duration(tookMs)}
    </span>
  );
}

function Bars({ waterfall }: { readonly waterfall: Waterfall }) {
  const [chosen, setChosen] = useState(waterfall.rows[0]?.span.spanId);
  const span = waterfall.rows.find((row) => row.span.spanId === chosen)?.span;
  return (
    <div className="columns">
      <section className="card waterfall" aria-label="Spans">
        <div className="waterfall-scale" aria-hidden="true">
          {[0, 0.25, 0.5, 0.75, 1].map((part) => (
            <span key={part}>{duration(waterfall.tookMs * part)}</span>
          ))}
        </div>
        <ol>
          {waterfall.rows.map((row) => (
            <li key={row.span.spanId}>
              <Bar row={row} isChosen={row.span.spanId === chosen} onChoose={() => setChosen(row.span.spanId)} />
            </li>
          ))}
        </ol>
        <p className="muted waterfall-legend">
          Dashed: the caller was guessed from times, with the confidence given, and may be another one.{' '}
          <span className="is-mesh">▍</span> what the mesh decided. Clocks of nodes differ; bars are drawn as measured.
        </p>
      </section>
      {span && <SpanDetail span={span} />}
    </div>
  );
}

interface BarProps {
  readonly row: WaterfallRow;
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}

function Bar({ row, isChosen, onChoose }: BarProps) {
  const { span, depth, startRatio, widthRatio } = row;
  const ticks = meshTicks(span);
  const isGuessed = span.inferredConfidence !== null;
  const tone = span.reason !== '' && span.isFailed ? 'is-mesh-bar' : span.isFailed ? 'is-bad-bar' : '';
  return (
    <button
      type="button"
      className={`span-row${isChosen ? ' is-chosen' : ''}`}
      aria-pressed={isChosen}
      onClick={onChoose}
    >
      <span className="span-name" style={{ paddingInlineStart: Math.min(depth, 12) * 12 }}>
        <b>{span.service.split('/').at(-1)}</b> <span className="muted">{span.name}</span>
      </span>
      <span className="span-track">
        <span
          className={`span-bar ${tone}${isGuessed ? ' is-guessed' : ''}`}
          style={{ insetInlineStart: `${startRatio * 100}%`, width: `max(2px, ${widthRatio * 100}%)` }}
        >
          {ticks.length > 0 && <span className="span-tick" title={ticks.join(', ')} />}
        </span>
      </span>
      <span className="span-took num">
        {duration(span.tookMs)}
        <span className="unseen">, {outcomeWords(row)}</span>
        {span.isFailed && <b className={span.reason === '' ? 'is-bad' : 'is-mesh'}> {span.status || span.reason}</b>}
      </span>
    </button>
  );
}

function outcomeWords({ span, isOrphan, skewMs }: WaterfallRow): string {
  const words = [span.isFailed ? `failed ${span.status} ${span.reason}`.trim() : `${span.status || 'ended'}`];
  if (span.inferredConfidence !== null)
    words.push(`caller guessed, ${Math.round(span.inferredConfidence * 100)} % sure`);
  if (isOrphan) words.push('its caller was not kept');
  if (skewMs > 0) words.push(`begins ${duration(skewMs)} before its caller`);
  return words.join(', ');
}

export function TraceLink({ traceId }: { readonly traceId: string }) {
  return (
    <Link to={`/traces/${traceId}`}>
      <code>{shortTraceId(traceId)}</code>
    </Link>
  );
}
