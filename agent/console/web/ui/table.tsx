/**
 * A real table: sorted by buttons in its head, rows past a hundred drawn only where they are seen, J K Enter, copied as TSV and
 * saved as CSV, with a choice of columns. While the pointer or the focus is inside, rows keep their order; R moves those that would have moved.
 * @module
 */
import { type ReactNode, useRef, useState } from 'react';
import { useKeys } from '../app/keys.ts';
import { Link } from '../app/router.tsx';
import { plural } from '../format/numbers.ts';
import { IconButton } from './button.tsx';
import { Icon } from './icon.tsx';
import { ColumnsMenu, useColumns } from './table-columns.tsx';
import { type Sort, toCsv, toTsv } from './table-rows.ts';
import { useFrozenOrder, useView } from './table-state.ts';
import { showToast } from './toast.tsx';
import './table.css';

export interface Column<R> {
  readonly id: string;
  readonly head: string;
  readonly cell: (row: R) => ReactNode;
  /** What it is sorted by and copied as; without it the column is neither. Null sorts last, and is copied as nothing. */
  readonly value?: (row: R) => string | number | null;
  readonly align?: 'end';
  /** CSS width, such as `120px`; without it the column takes what is left. */
  readonly width?: string;
}

interface Props<R> {
  /** Read out, and the name of files saved. */
  readonly name: string;
  readonly rows: readonly R[];
  readonly columns: readonly Column<R>[];
  readonly rowKey: (row: R) => string;
  /** Makes the first column a link and a row openable. */
  readonly href?: (row: R) => string;
  /** Instead of `href`: Enter or a click on a row. */
  readonly onOpen?: (row: R) => void;
  readonly selectedKey?: string | null;
  /** Greyed: what is known of it is old. */
  readonly isOld?: (row: R) => boolean;
  readonly initialSort?: Sort;
  readonly empty?: ReactNode;
  readonly isCompact?: boolean;
  /** No buttons for copying and saving. */
  readonly isPlain?: boolean;
}

const VIRTUAL_FROM = 100;

export function Table<R>(props: Props<R>) {
  const { name, rows, rowKey, href, onOpen, isOld, empty, isCompact = false } = props;
  const chosen = useColumns(name, props.columns);
  const columns = props.isPlain ? props.columns : chosen;
  const [sort, setSort] = useState<Sort | undefined>(props.initialSort);
  const root = useRef<HTMLDivElement>(null);
  const { sorted, moved, thaw, hold } = useFrozenOrder(rows, props.columns, sort, rowKey);
  const rowPx = isCompact ? 28 : 36;
  const isVirtual = sorted.length > VIRTUAL_FROM;
  const view = useView(root, isVirtual ? sorted.length : 0, rowPx);
  const [current, setCurrent] = useState(-1);
  const open = (row: R) => {
    if (onOpen !== undefined) onOpen(row);
    else root.current?.querySelector<HTMLElement>('tr.is-current a')?.click();
  };
  const move = (step: number) => {
    if (sorted.length === 0) return false;
    const next = Math.max(0, Math.min(sorted.length - 1, current + step));
    setCurrent(next);
    root.current?.scrollTo({ top: Math.max(0, next * rowPx - root.current.clientHeight / 2) });
    root.current?.querySelector('tr.is-current')?.scrollIntoView({ block: 'nearest' });
    return true;
  };
  useKeys([
    { keys: 'J', does: 'Next row', group: 'Tables', run: () => move(1) },
    { keys: 'K', does: 'Row before', group: 'Tables', run: () => move(-1) },
    { keys: 'R', does: 'Sort now what waited', group: 'Tables', run: thaw },
    {
      keys: 'Enter',
      does: 'Open the row',
      group: 'Tables',
      run: () => (sorted[current] ? open(sorted[current]) : false),
    },
  ]);
  if (rows.length === 0 && empty !== undefined) return empty;
  const [from, to] = isVirtual ? view : [0, sorted.length];
  return (
    <div className={`table${isCompact ? ' is-compact' : ''}`} {...hold}>
      {!props.isPlain && <Tools {...{ name, columns, moved, thaw }} rows={sorted} all={props.columns} />}
      <div className="table-scroll" ref={root} tabIndex={isVirtual ? 0 : undefined}>
        <table aria-label={name} aria-rowcount={sorted.length + 1}>
          <thead>
            <tr aria-rowindex={1}>
              {columns.map((column) => (
                <Head key={column.id} column={column} sort={sort} onSort={setSort} />
              ))}
            </tr>
          </thead>
          <tbody>
            {from > 0 && <Gap rows={from} rowPx={rowPx} columns={columns.length} />}
            {sorted.slice(from, to).map((row, i) => {
              const key = rowKey(row);
              const place = from + i;
              const classes = [
                place === current && 'is-current',
                key === props.selectedKey && 'is-selected',
                isOld?.(row) && 'is-old',
                (href || onOpen) && 'opens',
              ];
              return (
                <tr
                  key={key}
                  aria-rowindex={place + 2}
                  className={classes.filter(Boolean).join(' ')}
                  onClick={(event) => {
                    if ((event.target as Element).closest('a,button,input')) return;
                    if (onOpen) onOpen(row);
                    else if (href) event.currentTarget.querySelector('a')?.click();
                  }}
                >
                  {columns.map((column, c) => (
                    <Cell
                      key={column.id}
                      column={column}
                      row={row}
                      isFirst={c === 0}
                      href={c === 0 ? href?.(row) : undefined}
                    />
                  ))}
                </tr>
              );
            })}
            {to < sorted.length && <Gap rows={sorted.length - to} rowPx={rowPx} columns={columns.length} />}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function Head<R>(props: { column: Column<R>; sort: Sort | undefined; onSort: (sort: Sort) => void }) {
  const { column, sort, onSort } = props;
  const isSorted = sort?.column === column.id;
  return (
    <th
      scope="col"
      className={column.align === 'end' ? 'num' : undefined}
      style={{ width: column.width }}
      aria-sort={isSorted ? (sort.isDown ? 'descending' : 'ascending') : undefined}
    >
      {column.value === undefined ? (
        column.head
      ) : (
        <button
          type="button"
          onClick={() => onSort({ column: column.id, isDown: isSorted ? !sort.isDown : column.align === 'end' })}
        >
          {column.head}
          <span
            aria-hidden="true"
            className={`sorted${isSorted ? '' : ' is-off'}${isSorted && !sort.isDown ? ' is-up' : ''}`}
          >
            <Icon name="down" size={12} />
          </span>
        </button>
      )}
    </th>
  );
}

function Cell<R>(props: { column: Column<R>; row: R; isFirst: boolean; href: string | undefined }) {
  const { column, row, isFirst, href } = props;
  const content = href === undefined ? column.cell(row) : <Link to={href}>{column.cell(row)}</Link>;
  const className = column.align === 'end' ? 'num' : undefined;
  return isFirst ? (
    <th scope="row" className={className}>
      {content}
    </th>
  ) : (
    <td className={className}>{content}</td>
  );
}

function Gap({ rows, rowPx, columns }: { readonly rows: number; readonly rowPx: number; readonly columns: number }) {
  return (
    <tr className="gap">
      <td colSpan={columns} style={{ height: rows * rowPx }} />
    </tr>
  );
}

function Tools<R>(props: {
  name: string;
  rows: readonly R[];
  columns: readonly Column<R>[];
  /** Those that are hidden too. */
  all: readonly Column<R>[];
  moved: number;
  thaw: () => void;
}) {
  const { name, rows, columns, all, moved, thaw } = props;
  const copy = async () => {
    await navigator.clipboard.writeText(toTsv(rows, columns));
    showToast(`${plural(rows.length, 'row')} copied`);
  };
  const save = () => {
    const url = URL.createObjectURL(new Blob([toCsv(rows, columns)], { type: 'text/csv' }));
    Object.assign(document.createElement('a'), { href: url, download: `${name.replaceAll(/\W+/g, '-')}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1_000);
  };
  return (
    <div className="table-tools">
      <span className="muted">{plural(rows.length, 'row')}</span>
      {moved > 0 && (
        <button type="button" className="textual" onClick={thaw}>
          {plural(moved, 'row')} would move, press R
        </button>
      )}
      {all.length > 2 && <ColumnsMenu table={name} columns={all} />}
      <IconButton icon="copy" label="Copy as TSV" onClick={copy} />
      <IconButton icon="download" label="Download CSV" onClick={save} />
    </div>
  );
}
