/** What is broken, who feels it, since when: a sentence, the graph, what needs attention, and the last 24 hours. @module */
import { lazy, Suspense, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import type { Topology, TopologyNode } from '../../../shapes/topology.ts';
import { useKeys } from '../../app/keys.ts';
import { hrefTo, navigate, setQuery, usePlace } from '../../app/router.tsx';
import { useRange } from '../../app/time.ts';
import { parseFilter } from '../../filter/filter.ts';
import { plural } from '../../format/numbers.ts';
import { type GraphHandle, GraphView } from '../../graph/graph-view.tsx';
import { LayoutDesk } from '../../graph/layout-desk.ts';
import { type Detail, detailFor, openOf } from '../../graph/lod.ts';
import { sceneFor } from '../../graph/scene-code.ts';
import { startLayoutWorker } from '../../graph/start-layout-worker.ts';
import { affectedBy } from '../../graph/walk.ts';
import { useTopic } from '../../state/hooks.ts';
import { Segmented } from '../../ui/button.tsx';
import { SidePanel } from '../../ui/side-panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../ui/states.tsx';
import { showToast } from '../../ui/toast.tsx';
import { copy } from '../common/command-line.tsx';
import { Attention } from './attention.tsx';
import { FilterField } from './filter-field.tsx';
import { Strip } from './strip.tsx';
import { GraphTools } from './tools.tsx';
import { useGraphPart } from './use-part.ts';
import { filterTerms, headline } from './words.ts';
import './topology.css';

const VIEWS = ['service', 'workload', 'version', 'node'] as const;
type ViewName = (typeof VIEWS)[number];
/** Not with the graph, which most look at first; the panel follows once that is there. */
const SELECTION_MS = 1_000;
const loadSelection = () => import('./selection.tsx');
const Selection = lazy(() => loadSelection().then((module) => ({ default: module.Selection })));
const Legend = lazy(() => import('./legend.tsx').then((module) => ({ default: module.Legend })));
const TopologyTable = lazy(() => import('./topology-table.tsx').then((module) => ({ default: module.TopologyTable })));
const NARROW = '(max-width: 640px)';

export function TopologyPage() {
  const { query } = usePlace();
  const { api, namespaces, atMs } = useRange();
  const view: ViewName = VIEWS.find((name) => name === query.get('view')) ?? 'service';
  const chosen = query.get('sel');
  const filterText = query.get('f') ?? '';
  const filter = useMemo(() => parseFilter(filterText), [filterText]);
  const isAll = query.get('all') === '1';
  const isOnlyTrouble = query.get('only') === 'trouble';
  const isTable = query.has('as') ? query.get('as') === 'table' : matchMedia(NARROW).matches;
  const read = useTopic<Topology>(`/topology?view=${view}&${api}`);
  const { state, error } = read;
  const key = `${view}/${namespaces.toSorted().join(',')}`;
  const data = useKept(read.data, atMs === null || error !== undefined ? null : key);
  const moment = atMs === null ? '' : data?.asOfMs;
  const part = useGraphPart(data, { filter, isOnlyTrouble, key: `${key}/${moment}` });
  const detail = detailFor(part.nodes.length, part.edges.length, isAll);
  const terms = useMemo(() => filterTerms(data?.nodes ?? []), [data]);
  const wantedOpen = query.get('open') ?? '';
  const openNames = detail === 'dots' ? [...openOf(wantedOpen.split(','), part.nodes)].join(',') : '';
  const opened = useMemo(() => new Set(openNames.split(',').filter(Boolean)), [openNames]);
  const [affected, setAffected] = useState<string | null>(null);
  const [isLegend, setLegend] = useState(false);
  const graph = useRef<GraphHandle>(null);
  const [desk] = useState(() => new LayoutDesk(startLayoutWorker));
  const [first] = useState<Detail>(isAll ? 'all' : 'dots');
  useLayoutEffect(() => {
    if (isTable) return;
    desk.start(); // while the answer is on its way
    sceneFor(first).catch(() => {}); // the graph says so
    return () => desk.close();
  }, [desk, isTable, first]);
  const lit = useMemo(() => (affected === null ? null : affectedBy(affected, part)), [affected, part]);

  const choose = useCallback((id: string | null) => {
    setQuery({ sel: id });
    if (id === null) setAffected(null);
  }, []);
  /** In place; false: it has more services than are cards at once. */
  const openNamespace = (name: string, isOpen: boolean): boolean => {
    const wanted = [...opened].filter((other) => other !== name).concat(isOpen ? name : []);
    if (isOpen && !openOf(wanted, part.nodes).has(name)) return false;
    setQuery({ open: wanted.join(',') });
    return true;
  };
  const latest = useRef(openNamespace);
  latest.current = openNamespace;
  const onDot = useCallback(
    (node: TopologyNode) => {
      latest.current(node.namespace, true);
      choose(node.id);
    },
    [choose],
  );
  const showAffected = (id: string) => {
    choose(id);
    setAffected(id);
  };
  const open = (id: string) => {
    const name = id.startsWith('ns:') ? id.slice(3) : undefined;
    if (name !== undefined && detail === 'dots' && openNamespace(name, !opened.has(name))) return;
    const path = pathOf(id, view);
    if (path !== undefined) navigate(hrefTo(path));
  };
  const tidy = () => {
    graph.current?.tidy();
    showToast('Laid out anew; press U to have it as before');
  };
  useKeys([
    ...VIEWS.map((name, i) => ({
      keys: String(i + 1),
      does: `By ${name}`,
      group: 'Graph',
      run: () => setQuery({ view: name, sel: null }),
    })),
    { keys: '+', does: 'Larger', group: 'Graph', run: () => graph.current?.zoomBy(1.25) },
    { keys: '-', does: 'Smaller', group: 'Graph', run: () => graph.current?.zoomBy(0.8) },
    { keys: '0', does: 'All in view', group: 'Graph', run: () => graph.current?.fit() },
    { keys: 'T', does: 'As table or graph', group: 'Graph', run: () => setQuery({ as: isTable ? 'graph' : 'table' }) },
    {
      keys: 'A',
      does: 'Who is affected',
      group: 'Graph',
      run: () => (chosen === null ? false : setAffected(affected === null ? chosen : null)),
    },
    { keys: 'Y', does: 'Copy the command of this page', group: 'Everywhere', run: () => copy('weft top') },
    { keys: 'U', does: 'Take Tidy back', group: 'Graph', run: () => graph.current?.undoTidy() },
    {
      keys: 'Enter or Shift+Enter',
      does: 'Open what is chosen',
      group: 'Graph',
      run: () => (chosen === null ? false : open(chosen)),
    },
    {
      keys: 'Escape',
      does: 'One level back',
      group: 'Graph',
      run: () => {
        if (affected !== null) return setAffected(null);
        if (chosen !== null) return choose(null);
        return opened.size > 0 && openNamespace([...opened].at(-1)!, false);
      },
    },
  ]);
  useEffect(() => {
    void document.fonts.load('12px "Inter Variable"'); // a canvas draws with what is there
  }, []);
  const isShown = data !== undefined;
  useEffect(() => {
    if (!isShown) return;
    const after = setTimeout(() => void loadSelection().catch(() => {}), SELECTION_MS); // asked for again when needed
    return () => clearTimeout(after);
  }, [isShown]);

  if (data === undefined)
    return (
      <div className="page">
        <h1>Topology</h1>
        {error === undefined ? <Loading what="the topology" rows={6} /> : <ErrorState error={error} />}
      </div>
    );
  const isEmpty = data.nodes.length === 0;
  return (
    <div
      className={`topology${state === 'stale' || read.data === undefined ? ' is-stale' : ''}`}
      aria-busy={read.data === undefined}
    >
      <div className="topology-main">
        <header className="topology-head">
          <h1>{headline(data, view)}</h1>
          <Segmented
            name="Graph of"
            value={view}
            options={VIEW_OPTIONS}
            onChange={(name) => setQuery({ view: name, sel: null })}
          />
          <FilterField value={filterText} problems={filter.problems} terms={terms} />
        </header>
        {isEmpty && (
          <EmptyState
            why="Services appear here by themselves some seconds after their first request."
            command="weft capture show"
          />
        )}
        {!isEmpty && isTable && (
          <Suspense fallback={<Loading />}>
            <TopologyTable {...{ part, view, chosen }} onChoose={choose} />
          </Suspense>
        )}
        {!isEmpty && !isTable && (
          <GraphView
            key={`${key}/${detail}`}
            ref={graph}
            layoutKey={key}
            gone={part.gone}
            onChoose={choose}
            onOpen={open}
            open={opened}
            {...{ part, detail, desk, chosen, lit, onDot }}
          />
        )}
        {!isEmpty && (
          <GraphTools
            {...{ detail, isTable, isOnlyTrouble, graph }}
            isAll={isAll}
            onLegend={() => setLegend(true)}
            onTidy={tidy}
            note={noteOf(detail, part.nodes.length, data.nodes.length)}
          />
        )}
        <Strip data={data} />
      </div>
      {chosen === null ? (
        <SidePanel title={<span className="unseen">Attention</span>}>
          <Attention data={data} onShow={choose} onAffected={showAffected} />
        </SidePanel>
      ) : (
        <Suspense
          fallback={
            <SidePanel title={chosen}>
              <Loading />
            </SidePanel>
          }
        >
          <Selection
            key={chosen}
            {...{ data, chosen, view }}
            onChoose={choose}
            onAffected={setAffected}
            onNamespace={(name) => setQuery({ ns: name, sel: null, open: null }, { replace: false })}
            opened={isTable || detail !== 'dots' ? undefined : opened}
            onOpenNamespace={openNamespace}
          />
        </Suspense>
      )}
      {isLegend && (
        <Suspense>
          <Legend part={part} onClose={() => setLegend(false)} />
        </Suspense>
      )}
    </div>
  );
}

/** While one goes through the past: what was shown, greyed, until the next moment is there. @param key null keeps nothing */
function useKept(data: Topology | undefined, key: string | null): Topology | undefined {
  const kept = useRef<{ key: string; data: Topology }>(undefined);
  if (key !== null && data !== undefined) kept.current = { key, data };
  return data ?? (key !== null && kept.current?.key === key ? kept.current.data : undefined);
}

const VIEW_OPTIONS = VIEWS.map((value) => ({ value, text: value[0]!.toUpperCase() + value.slice(1) }));

function noteOf(detail: string, shown: number, all: number): string {
  const left = shown < all ? `${shown} of ${plural(all, 'service')} fit. ` : '';
  return `${left}${detail === 'dots' ? 'A dot is a service. Double-click a namespace, or click a dot, to see inside.' : ''}`;
}

/** Where a double click leads. */
function pathOf(id: string, view: ViewName): string | undefined {
  if (id.startsWith('ns:')) return `/?ns=${encodeURIComponent(id.slice(3))}`;
  const [from, to] = id.split('>');
  if (to !== undefined) return from?.includes('/') ? `/edges/${from}/${to}` : undefined;
  if (view === 'node') return `/members/${encodeURIComponent(id)}`;
  if (view === 'version') {
    const [service, version] = id.split('@');
    return `/services/${service}?version=${encodeURIComponent(version ?? '')}`;
  }
  return view === 'service' ? `/services/${id}` : undefined;
}
