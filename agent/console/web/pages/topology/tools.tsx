/** Buttons below the graph: for whatever wheel, drag and keys do too. @module */
import type { RefObject } from 'react';
import { setQuery } from '../../app/router.tsx';
import type { GraphHandle } from '../../graph/graph-view.tsx';
import type { Detail } from '../../graph/lod.ts';
import { Button, IconButton } from '../../ui/button.tsx';

interface Props {
  readonly detail: Detail;
  readonly isTable: boolean;
  readonly isOnlyTrouble: boolean;
  readonly isAll: boolean;
  readonly graph: RefObject<GraphHandle | null>;
  readonly note: string;
  readonly onLegend: () => void;
  readonly onTidy: () => void;
}

export function GraphTools({ detail, isTable, isOnlyTrouble, isAll, graph, note, onLegend, onTidy }: Props) {
  return (
    <div className="graph-tools">
      {!isTable && (
        <>
          <IconButton icon="plus" label="Larger" onClick={() => graph.current?.zoomBy(1.25)} />
          <IconButton icon="minus" label="Smaller" onClick={() => graph.current?.zoomBy(0.8)} />
          <IconButton icon="fit" label="All in view" onClick={() => graph.current?.fit()} />
          <Button icon="tidy" onClick={onTidy}>
            Tidy
          </Button>
        </>
      )}
      <Button
        icon="focus"
        aria-pressed={isOnlyTrouble}
        onClick={() => setQuery({ only: isOnlyTrouble ? null : 'trouble' })}
      >
        Only trouble
      </Button>
      {!isTable && (
        <Button icon="list" onClick={onLegend}>
          Legend
        </Button>
      )}
      {!isTable && detail !== 'cards' && (
        <Button aria-pressed={isAll} onClick={() => setQuery({ all: isAll ? null : '1' })}>
          Show all
        </Button>
      )}
      <Button icon={isTable ? 'topology' : 'table'} onClick={() => setQuery({ as: isTable ? 'graph' : 'table' })}>
        {isTable ? 'As graph' : 'As table'}
      </Button>
      {note !== '' && <span className="muted">{note}</span>}
    </div>
  );
}
