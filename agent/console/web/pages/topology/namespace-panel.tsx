/** The panel of a namespace: what it has, worst first. @module */
import { useMemo } from 'react';
import type { Topology, TopologyNode } from '../../../shapes/topology.ts';
import { plural, rate, share } from '../../format/numbers.ts';
import { failedOf, namespaceSums } from '../../graph/lod.ts';
import { Button } from '../../ui/button.tsx';
import { SidePanel } from '../../ui/side-panel.tsx';
import { StatusMark } from '../../ui/status-mark.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { showToast } from '../../ui/toast.tsx';

interface Props {
  readonly data: Topology;
  /** `ns:pay` */
  readonly chosen: string;
  readonly close: () => void;
  readonly onChoose: (id: string) => void;
  readonly onNamespace: (name: string) => void;
  /** Namespaces that are open in the graph; undefined where none can be. */
  readonly opened: ReadonlySet<string> | undefined;
  /** False: there are too many services in it. */
  readonly onOpenNamespace: (name: string, isOpen: boolean) => boolean;
}

export function NamespacePanel({ data, chosen, close, opened, onChoose, onNamespace, onOpenNamespace }: Props) {
  const name = chosen.slice(3);
  const members = useMemo(() => data.nodes.filter(({ namespace }) => namespace === name), [data.nodes, name]);
  const sum = namespaceSums(members)[0];
  const showInside = (isOpen: boolean) => {
    if (!onOpenNamespace(name, isOpen)) showToast(`${name} has too many services for cards; they are in this list`);
  };
  return (
    <SidePanel title={name} onClose={close}>
      {sum && (
        <p>
          <StatusMark health={sum.health} isSoft /> {plural(members.length, 'service')}, {rate(sum.rate)},{' '}
          {share(sum.failedRatio)} failing
        </p>
      )}
      <div className="row">
        {opened !== undefined && (
          <Button aria-pressed={opened.has(name)} onClick={() => showInside(!opened.has(name))}>
            Open in the graph
          </Button>
        )}
        <Button onClick={() => onNamespace(name)}>Only this namespace</Button>
      </div>
      <Table
        name={`Services of ${name}`}
        rows={members}
        columns={MEMBER_COLUMNS}
        rowKey={({ id }) => id}
        onOpen={({ id }) => onChoose(id)}
        initialSort={{ column: 'health', isDown: false }}
        isCompact
        isPlain
      />
    </SidePanel>
  );
}

const ORDER = ['bad', 'warn', 'unknown', 'ok', 'quiet'];
const MEMBER_COLUMNS: readonly Column<TopologyNode>[] = [
  {
    id: 'health',
    head: 'Health',
    width: '72px',
    value: ({ health }) => ORDER.indexOf(health),
    cell: ({ health, cause }) => <StatusMark health={health} cause={cause} isGlyphOnly />,
  },
  { id: 'name', head: 'Service', value: ({ name }) => name, cell: ({ name }) => name },
  {
    id: 'rate',
    head: 'Rate',
    align: 'end',
    value: ({ requestsPerSec }) => requestsPerSec,
    cell: (node) => rate(node.requestsPerSec),
  },
  { id: 'failed', head: 'Failed', align: 'end', value: failedOf, cell: (node) => share(failedOf(node)) },
];
