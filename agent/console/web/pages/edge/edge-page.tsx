/** One edge: where a request goes and why, in nine steps, each with the document that says so; and how requests ended. @module */
import { useEffect, useState } from 'react';
import type { EdgeDetail, Explained, ExplainQuestion } from '../../../shapes/edge.ts';
import { setQuery, useParams, usePlace } from '../../app/router.tsx';
import { useRange } from '../../app/time.ts';
import { duration, rate, share } from '../../format/numbers.ts';
import { type ApiError, post } from '../../state/api.ts';
import { asApiError, useTopic } from '../../state/hooks.ts';
import { ButtonLink, CopyButton } from '../../ui/button.tsx';
import { Banner } from '../../ui/card.tsx';
import { Icon } from '../../ui/icon.tsx';
import { ErrorState, Loading } from '../../ui/states.tsx';
import { StatusMark } from '../../ui/status-mark.tsx';
import { failedRatio } from '../common/figures.tsx';
import { Frame } from '../common/frame.tsx';
import { shortName } from '../common/hrefs.ts';
import { Agreement, DocumentAt } from './beside.tsx';
import { Outcomes } from './outcomes.tsx';
import { RequestForm } from './request-form.tsx';
import { Steps } from './steps.tsx';
import './edge.css';

export function EdgePage() {
  const { fromNs = '', from = '', toNs = '', to = '' } = useParams();
  const { query } = usePlace();
  const { api, atMs } = useRange();
  const [caller, called] = [`${fromNs}/${from}`, `${toNs}/${to}`];
  const place = [fromNs, from, toNs, to].map(encodeURIComponent).join('/');
  const read = useTopic<EdgeDetail>(`/edges/${place}?${api}`);
  const question = { ...questionOf(caller, called, query), atMs };
  const answer = useExplained(question);
  const [chosen, setChosen] = useState<string>();
  const step = answer.data?.steps.find((one) => one.step === chosen);
  return (
    <Frame
      title={
        <>
          {shortName(caller)} <Icon name="arrow" size={18} label="to" /> {shortName(called)}
        </>
      }
      status={read.data && <Head edge={read.data} />}
      actions={
        <>
          <ButtonLink icon="trace" to={`/traces?q=${encodeURIComponent(`service:${called}`)}`}>
            Traces
          </ButtonLink>
          <ButtonLink icon="shield" to={`/policies/new/access?service=${called}&from=${encodeURIComponent(caller)}`}>
            Change access
          </ButtonLink>
          <ButtonLink icon="split" to={`/policies/new/canary?service=${called}`}>
            Change split
          </ButtonLink>
        </>
      }
      command={
        answer.data?.command ?? `weft explain ${question.method} ${question.path} --from ${caller} --to ${called}`
      }
    >
      {atMs !== null && (
        <Banner tone="unknown" actions={<ButtonLink to="/policies">Documents of then</ButtonLink>}>
          Figures are of then, and so are the documents behind the steps, compiled anew. Services, endpoints and
          defaults of agents are those of now, and so is what weft explain prints.
          {answer.data?.lacking?.map((text) => (
            <span key={text}> Not known: {text}.</span>
          ))}
        </Banner>
      )}
      <RequestForm key={JSON.stringify(question)} question={question} onAsk={ask} />
      <div className="columns">
        <div className="stack">
          {answer.data ? (
            <Steps explained={answer.data} chosen={chosen} onChoose={setChosen} called={called} caller={caller} />
          ) : answer.error ? (
            <ErrorState error={answer.error} onRetry={answer.reload} />
          ) : (
            <Loading what="the nine steps" rows={6} />
          )}
        </div>
        <div className="stack">
          {step && <DocumentAt step={step} />}
          {read.data ? <Outcomes edge={read.data} /> : read.error ? <ErrorState error={read.error} /> : null}
          {answer.data && <Agreement explained={answer.data} />}
          {answer.data && (
            <div className="row">
              <CopyButton text={answer.data.command}>Copy as weft explain</CopyButton>
            </div>
          )}
        </div>
      </div>
    </Frame>
  );
}

function Head({ edge }: { readonly edge: EdgeDetail }) {
  const { now, health, tls } = edge;
  const failed = failedRatio(now);
  return (
    <>
      <StatusMark health={health} isSoft>
        {failed !== null && failed >= 0.01
          ? `${share(failed)} failing`
          : { ok: 'Fine', quiet: 'Quiet', unknown: 'Not known', warn: 'Degraded', bad: 'Failing' }[health]}
      </StatusMark>
      <span>{rate(now.requestsPerSec).replace('/s', ' requests/s')}</span>
      <span>p99 {duration(now.p99Ms)}</span>
      <span className={`row ${tls === 'plaintext' ? 'is-mesh strong' : ''}`}>
        {tls === 'mutual' && <Icon name="lock" />}
        {tls === 'mutual' ? 'mTLS' : tls}
      </span>
    </>
  );
}

function questionOf(from: string, to: string, query: URLSearchParams): Omit<ExplainQuestion, 'atMs'> {
  const headers = query.getAll('header').flatMap((header): [string, string][] => {
    const colon = header.indexOf(':');
    return colon < 1 ? [] : [[header.slice(0, colon).trim(), header.slice(colon + 1).trim()]];
  });
  return { from, to, port: null, method: query.get('method') ?? 'GET', path: query.get('path') ?? '/', headers };
}

function ask({ method, path, headers }: Pick<ExplainQuestion, 'method' | 'path' | 'headers'>): void {
  const [first] = headers;
  setQuery({ method, path, header: first === undefined ? null : `${first[0]}: ${first[1]}` }, { replace: false });
}

/** A POST that only reads, asked again when the question is another. */
function useExplained(question: ExplainQuestion) {
  const asked = JSON.stringify(question);
  const [turn, setTurn] = useState(0);
  const [got, setGot] = useState<{ asked: string; data?: Explained; error?: ApiError }>();
  useEffect(() => {
    const abort = new AbortController();
    post<Explained>('/explain', JSON.parse(asked), abort.signal).then(
      (data) => setGot({ asked, data }),
      (error) => abort.signal.aborted || setGot({ asked, error: asApiError(error) }),
    );
    return () => abort.abort();
  }, [asked, turn]);
  return {
    data: got?.asked === asked ? got.data : undefined,
    error: got?.asked === asked ? got.error : undefined,
    reload: () => setTurn(turn + 1),
  };
}
