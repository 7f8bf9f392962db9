/** The catalog: every service that was seen, declared or called, narrowed by facets and grouped. @module */
import type { Health } from '../../../shapes/common.ts';
import type { ServiceRow, Services } from '../../../shapes/services.ts';
import { setQuery, usePlace } from '../../app/router.tsx';
import { useRange } from '../../app/time.ts';
import { plural } from '../../format/numbers.ts';
import { useTopic } from '../../state/hooks.ts';
import { Segmented } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Icon } from '../../ui/icon.tsx';
import { MARK_WORDS } from '../../ui/status-mark.tsx';
import { Table } from '../../ui/table.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { Answer } from '../common/answer.tsx';
import { FilterField } from '../common/filter-field.tsx';
import { Frame } from '../common/frame.tsx';
import { serviceColumns } from './columns.tsx';
import { countFacet, FACETS, type Facet, facetValue, matches, toggle } from './facets.ts';

const TABS = [
  { id: 'seen', text: 'Seen', empty: 'Services appear here by themselves 5 s after their first request.' },
  { id: 'silent', text: 'Declared but silent', empty: 'Every declared service was called.' },
  { id: 'undeclared', text: 'Used but undeclared', empty: 'Every service that is used is declared.' },
  { id: 'gone', text: 'Gone', empty: 'No service has gone in the last 30 days.' },
] as const;
const GROUPS = [
  { value: 'none', text: 'No groups' },
  { value: 'ns', text: 'Namespace' },
  { value: 'owner', text: 'Owner' },
] as const;
const FACET_WORDS: Readonly<Record<Facet, string>> = {
  health: 'Health',
  owner: 'Owner',
  language: 'Language',
  protocol: 'Protocol',
  ns: 'Namespace',
  tier: 'Tier',
};
const MAX_VALUES = 8;

export function ServicesPage() {
  const { api } = useRange();
  const { query } = usePlace();
  const read = useTopic<Services>(`/services?${api}`);
  const filter = query.get('f') ?? '';
  const group = GROUPS.find(({ value }) => value === query.get('group'))?.value ?? 'none';
  return (
    <Frame
      title="Services"
      status={read.data && <span className="muted">{conclusion(read.data.services)}</span>}
      actions={
        <>
          <FilterField value={filter} onChange={(f) => setQuery({ f })} hint="ns:pay health:bad p99>500ms" />
          <Segmented name="Group by" options={GROUPS} value={group} onChange={(value) => setQuery({ group: value })} />
          <a className="control plain" href="/api/v1/catalog.yaml" download="catalog-info.yaml">
            <Icon name="download" />
            Export catalog-info.yaml
          </a>
        </>
      }
      command="weft services"
    >
      <Answer
        read={read}
        what="services"
        isEmpty={({ services }) => services.length === 0}
        empty={{
          why: 'Services appear here by themselves 5 s after their first request.',
          command: 'weft capture show',
        }}
      >
        {({ services }) => <Catalog services={services} filter={filter} group={group} />}
      </Answer>
    </Frame>
  );
}

/** `24 seen, 21 fine, 1 quiet`: who is quiet is not known to be well. */
function conclusion(services: readonly ServiceRow[]): string {
  const seen = services.filter(({ tab }) => tab === 'seen');
  const count = (wanted: string) => seen.filter(({ health }) => health === wanted).length;
  const quiet = count('quiet');
  return `${seen.length} seen, ${count('ok')} fine${quiet === 0 ? '' : `, ${quiet} quiet`}`;
}

interface CatalogProps {
  readonly services: readonly ServiceRow[];
  readonly filter: string;
  readonly group: (typeof GROUPS)[number]['value'];
}

function Catalog({ services, filter, group }: CatalogProps) {
  const { query } = usePlace();
  const tab = TABS.find(({ id }) => id === query.get('tab')) ?? TABS[0];
  const ofTab = services.filter((row) => row.tab === tab.id);
  const rows = ofTab.filter((row) => matches(row, filter));
  return (
    <>
      <Tabs
        name="Which services"
        current={tab.id}
        tabs={TABS.map(({ id, text }) => ({
          id,
          text,
          to: `/services?${keeping(query, id)}`,
          count: services.filter((row) => row.tab === id).length,
        }))}
      />
      <div className="with-facets">
        <aside className="facets" aria-label="Facets">
          {FACETS.map((facet) => (
            <FacetList key={facet} facet={facet} rows={ofTab} filter={filter} />
          ))}
        </aside>
        <div className="stack">
          {rows.length === 0 ? (
            <p className="note">
              {filter === '' ? tab.empty : 'No service is like that. Escape in the filter empties it.'}
            </p>
          ) : (
            grouped(rows, group).map(([title, members]) => (
              <Card key={title} isFlush {...(title === '' ? {} : { title, aside: plural(members.length, 'service') })}>
                <Table
                  name={title === '' ? tab.text : `${tab.text}, ${title}`}
                  columns={serviceColumns}
                  rows={members}
                  rowKey={(row) => row.id}
                />
              </Card>
            ))
          )}
        </div>
      </div>
    </>
  );
}

function keeping(query: URLSearchParams, tab: string): string {
  const kept = new URLSearchParams();
  for (const key of ['f', 'group']) if (query.has(key)) kept.set(key, query.get(key)!);
  kept.set('tab', tab);
  return kept.toString();
}

/** Worst first, as the table is when nobody sorts it. */
const ORDER = ['bad', 'warn', 'unknown', 'ok', 'quiet'];

function grouped(
  rows: readonly ServiceRow[],
  group: CatalogProps['group'],
): readonly [string, readonly ServiceRow[]][] {
  const sorted = rows.toSorted(
    (a, b) =>
      ORDER.indexOf(a.health) - ORDER.indexOf(b.health) ||
      (b.requestsPerSec ?? 0) - (a.requestsPerSec ?? 0) ||
      a.id.localeCompare(b.id),
  );
  if (group === 'none') return [['', sorted]];
  const groups = Map.groupBy(sorted, (row) => facetValue(row, group));
  return [...groups].toSorted(([a], [b]) => a.localeCompare(b));
}

/** What the filter calls `ok` and `none`. */
function wordsOf(facet: Facet, value: string): string {
  if (value === 'none') return 'not known';
  return facet === 'health' ? (MARK_WORDS[value as Health] ?? value) : value;
}

function FacetList({
  facet,
  rows,
  filter,
}: {
  readonly facet: Facet;
  readonly rows: readonly ServiceRow[];
  readonly filter: string;
}) {
  const values = countFacet(rows, facet, filter);
  if (values.length === 0 || (values.length === 1 && values[0]!.value === 'none')) return null;
  return (
    <section>
      <h2>{FACET_WORDS[facet]}</h2>
      <ul>
        {values.slice(0, MAX_VALUES).map(({ value, count, isChosen }) => (
          <li key={value}>
            <button type="button" aria-pressed={isChosen} onClick={() => setQuery({ f: toggle(filter, facet, value) })}>
              <span>{wordsOf(facet, value)}</span>
              <span className="muted">{count}</span>
            </button>
          </li>
        ))}
      </ul>
      {values.length > MAX_VALUES && (
        <p className="muted">{values.length - MAX_VALUES} more; write them in the filter</p>
      )}
    </section>
  );
}
