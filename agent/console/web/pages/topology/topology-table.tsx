/** The graph as tables: the same services, the same edges, every one of them. @module */
import { useMemo } from 'react';
import type { Topology, TopologyEdge, TopologyNode } from '../../../shapes/topology.ts';
import { duration, rate, share } from '../../format/numbers.ts';
import { versionWords } from '../../graph/cards.tsx';
import { failedOf } from '../../graph/lod.ts';
import { EmptyState } from '../../ui/states.tsx';
import { HEALTH_ORDER, StatusMark } from '../../ui/status-mark.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { endpointWords } from './words.ts';

type Part = Pick<Topology, 'nodes' | 'edges'>;
interface EdgeRow extends TopologyEdge {
  readonly caller: string;
  readonly callee: string;
}

export function TopologyTable({
  part,
  view,
  chosen,
  onChoose,
}: {
  readonly part: Part;
  readonly view: string;
  readonly chosen: string | null;
  readonly onChoose: (id: string) => void;
}) {
  const edges = useMemo(
    () =>
      part.edges.map(
        (edge): EdgeRow => ({
          ...edge,
          caller: part.nodes[edge.from]?.id ?? '?',
          callee: part.nodes[edge.to]?.id ?? '?',
        }),
      ),
    [part],
  );
  return (
    <div className="page">
      <Table
        name={`${view}s`}
        rows={part.nodes}
        columns={NODES}
        rowKey={({ id }) => id}
        onOpen={({ id }) => onChoose(id)}
        selectedKey={chosen}
        initialSort={{ column: 'health', isDown: false }}
        empty={<EmptyState why="Nothing fits the filter, or no traffic was seen yet." command="weft capture show" />}
      />
      <Table
        name="edges"
        rows={edges}
        columns={EDGES}
        rowKey={({ caller, callee }) => `${caller}>${callee}`}
        onOpen={({ caller, callee }) => onChoose(`${caller}>${callee}`)}
        selectedKey={chosen}
        initialSort={{ column: 'health', isDown: false }}
        empty={<EmptyState why="No calls between them in this range." />}
      />
    </div>
  );
}

function figures<R extends TopologyNode | TopologyEdge>(): Column<R>[] {
  return [
    {
      id: 'rate',
      head: 'Requests',
      align: 'end',
      value: (row) => row.requestsPerSec,
      cell: (row) => rate(row.requestsPerSec),
    },
    {
      id: 'failed',
      head: 'Failed',
      align: 'end',
      value: failedOf,
      cell: (row) => (
        <span className={row.health === 'bad' || row.health === 'warn' ? `is-${row.health}` : ''}>
          {share(failedOf(row))}
        </span>
      ),
    },
    {
      id: 'mesh',
      head: 'By the mesh',
      align: 'end',
      value: (row) => row.meshFailedRatio,
      cell: (row) => share(row.meshFailedRatio),
    },
    { id: 'p50', head: 'p50', align: 'end', value: (row) => row.p50Ms, cell: (row) => duration(row.p50Ms) },
    { id: 'p99', head: 'p99', align: 'end', value: (row) => row.p99Ms, cell: (row) => duration(row.p99Ms) },
  ];
}

const NODES: readonly Column<TopologyNode>[] = [
  { id: 'name', head: 'Name', value: ({ name }) => name, cell: ({ name }) => <b>{name}</b> },
  {
    id: 'health',
    head: 'Health',
    value: ({ health }) => HEALTH_ORDER.indexOf(health),
    cell: ({ health, cause }) => <StatusMark health={health} cause={cause} />,
  },
  { id: 'ns', head: 'Namespace', value: ({ namespace }) => namespace, cell: ({ namespace }) => namespace },
  ...figures<TopologyNode>(),
  {
    id: 'endpoints',
    head: 'Endpoints',
    align: 'end',
    value: (row) => row.endpointsReady,
    cell: endpointWords,
  },
  {
    id: 'versions',
    head: 'Versions',
    value: ({ versions }) => versions.length,
    cell: (row) => versionWords(row) || '–',
  },
  { id: 'badges', head: 'Marks', value: ({ badges }) => badges.join(' '), cell: ({ badges }) => badges.join(', ') },
];

const EDGES: readonly Column<EdgeRow>[] = [
  { id: 'caller', head: 'Caller', value: ({ caller }) => caller, cell: ({ caller }) => caller },
  { id: 'callee', head: 'Callee', value: ({ callee }) => callee, cell: ({ callee }) => callee },
  {
    id: 'health',
    head: 'Health',
    value: ({ health }) => HEALTH_ORDER.indexOf(health),
    cell: ({ health }) => <StatusMark health={health} />,
  },
  ...figures<EdgeRow>(),
  { id: 'protocol', head: 'Protocol', value: ({ protocol }) => protocol, cell: ({ protocol }) => protocol },
  {
    id: 'tls',
    head: 'TLS',
    value: ({ tls }) => tls,
    cell: ({ tls }) => (tls === 'plaintext' ? <StatusMark health="mesh">plaintext</StatusMark> : tls),
  },
];
