/** One service: what is wrong with it first, then its figures, then everything that is known of it in tabs. @module */
import type { ReactNode } from 'react';
import type { ServiceDetail } from '../../../shapes/services.ts';
import { useParams } from '../../app/router.tsx';
import { useRange } from '../../app/time.ts';
import { useTopic } from '../../state/hooks.ts';
import { ButtonLink } from '../../ui/button.tsx';
import { StatusMark } from '../../ui/status-mark.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { Answer } from '../common/answer.tsx';
import { Frame } from '../common/frame.tsx';
import { edgeHref, serviceHref } from '../common/hrefs.ts';
import { EventList } from '../events/events-page.tsx';
import { LogList } from '../logs/logs-page.tsx';
import { TraceList } from '../traces/traces-page.tsx';
import { Endpoints, FactsTab, Neighbours, Policies, Routes } from './lists.tsx';
import { Overview } from './overview.tsx';
import { statusWords } from './words.ts';

/** Charts have about this many points. */
const MAX_STEPS = 180;
const STEP_MS = 10_000;
const COARSE_STEP_MS = 300_000;
const FINE_UP_TO_MS = 86_400_000;

const TABS = [
  'overview',
  'routes',
  'callers',
  'calls',
  'endpoints',
  'policies',
  'logs',
  'traces',
  'events',
  'facts',
] as const;
type Tab = (typeof TABS)[number];

export function ServicePage() {
  const { ns = '', name = '', tab: asked } = useParams();
  const { api, rangeMs } = useRange();
  const tab = TABS.find((one) => one === asked) ?? 'overview';
  const id = `${ns}/${name}`;
  const path = `/services/${encodeURIComponent(ns)}/${encodeURIComponent(name)}`;
  const read = useTopic<ServiceDetail>(`${path}?${withoutNamespace(api)}&stepMs=${stepOf(rangeMs)}`);
  const { data } = read;
  const caller = data?.callers.find(({ hops }) => hops === 1)?.service;
  return (
    <Frame
      title={name}
      status={
        data && (
          <StatusMark health={data.health} cause={data.problem?.cause} isSoft>
            {statusWords(data)}
          </StatusMark>
        )
      }
      about={data && <HeadFacts detail={data} namespace={ns} />}
      actions={
        <>
          {caller?.includes('/') && (
            <ButtonLink icon="play" to={edgeHref(caller, id)}>
              Explain a request
            </ButtonLink>
          )}
          <ButtonLink icon="topology" to={`/?sel=${id}`}>
            Show in topology
          </ButtonLink>
          <ButtonLink kind="primary" icon="plus" to={`/policies/new/canary?service=${id}`}>
            New policy
          </ButtonLink>
        </>
      }
      command="weft endpoints"
    >
      <Tabs
        name={`Of ${name}`}
        current={tab}
        tabs={TABS.map((one) => ({
          id: one,
          text: one[0]!.toUpperCase() + one.slice(1),
          to: serviceHref(id, one),
          count: data && countOf(data, one),
        }))}
      />
      <Answer read={read} what={name}>
        {(detail) => content(detail, tab)}
      </Answer>
    </Frame>
  );
}

function content(detail: ServiceDetail, tab: Tab): ReactNode {
  switch (tab) {
    case 'overview':
      return <Overview detail={detail} />;
    case 'routes':
      return <Routes detail={detail} />;
    case 'callers':
      return <Neighbours title="Who calls it" detail={detail} rows={detail.callers} isCaller />;
    case 'calls':
      return <Neighbours title="What it calls" detail={detail} rows={detail.calls} isCaller={false} />;
    case 'endpoints':
      return <Endpoints detail={detail} />;
    case 'policies':
      return <Policies detail={detail} />;
    case 'logs':
      return <LogList q="" service={detail.id} />;
    case 'traces':
      return <TraceList q="" service={detail.id} />;
    case 'events':
      return <EventList touches={detail.id} />;
    case 'facts':
      return <FactsTab detail={detail} />;
  }
}

function HeadFacts({ detail: { facts }, namespace }: { readonly detail: ServiceDetail; readonly namespace: string }) {
  const said = (key: string) => facts.find((fact) => fact.key === key);
  const links = (['repository', 'docs', 'onCall'] as const).flatMap((key) => said(key) ?? []);
  const language = said('language');
  return (
    <>
      {said('description') && <span>{said('description')!.value}</span>}
      <span>
        Namespace <b>{namespace}</b>
      </span>
      <span>
        Owner <b>{said('owner')?.value ?? 'not known'}</b>
      </span>
      {said('tier') && (
        <span>
          Tier <b>{said('tier')!.value}</b>
        </span>
      )}
      {language && (
        <span>
          {language.value} <span className="chip">{language.source}</span>
        </span>
      )}
      {links.map(({ key, value }) =>
        /^https?:\/\//.test(value) ? (
          <a key={key} href={value} rel="noreferrer" target="_blank">
            {{ repository: 'Repository', docs: 'Docs', onCall: 'On call' }[key as 'repository']}
          </a>
        ) : null,
      )}
    </>
  );
}

function countOf(detail: ServiceDetail, tab: Tab): number | undefined {
  if (tab === 'routes' || tab === 'callers' || tab === 'calls' || tab === 'endpoints' || tab === 'policies')
    return detail[tab].length;
  return undefined;
}

function stepOf(rangeMs: number): number {
  const unit = rangeMs > FINE_UP_TO_MS ? COARSE_STEP_MS : STEP_MS;
  return unit * Math.max(1, Math.ceil(rangeMs / unit / MAX_STEPS));
}

/** A service has one namespace; the choice of others is no matter here. */
function withoutNamespace(api: string): string {
  const params = new URLSearchParams(api);
  params.delete('ns');
  return params.toString();
}
