/** Which columns of a table are shown: in the address as `hide=services.p99,services.owner`, else as this browser kept it. @module */
import { setQuery, usePlace } from '../app/router.tsx';
import { Menu } from './menu.tsx';

interface Named {
  readonly id: string;
  readonly head: string;
}
/** Tables of which a choice is kept; the one that was made longest ago is dropped for a new one. */
const MAX_KEPT = 40;
const KEPT = 'weft.columns';

/** @param table its name; the first column stays, as it says what the row is */
export function useColumns<C extends Named>(table: string, columns: readonly C[]): readonly C[] {
  const hidden = useHidden(table);
  return hidden.size === 0 ? columns : columns.filter(({ id }, i) => i === 0 || !hidden.has(id));
}

export function ColumnsMenu({ table, columns }: { readonly table: string; readonly columns: readonly Named[] }) {
  const hidden = useHidden(table);
  const { query } = usePlace();
  const choose = (id: string) => {
    const next = hidden.has(id) ? [...hidden].filter((other) => other !== id) : [...hidden, id];
    keep(table, next);
    const others = partsOf(query.get('hide')).filter(([name]) => name !== keyOf(table));
    // An empty one says that all are shown, whatever a browser kept.
    const own = next.length === 0 ? [`${keyOf(table)}.`] : next.map((one) => `${keyOf(table)}.${one}`);
    setQuery({ hide: [...others.map((part) => part.join('.')), ...own].join(',') });
  };
  return (
    <Menu label="Columns" name={`Columns of ${table}`} className="control quiet">
      {() =>
        columns.slice(1).map(({ id, head }) => (
          <button
            type="button"
            role="menuitemcheckbox"
            aria-checked={!hidden.has(id)}
            key={id}
            onClick={() => choose(id)}
          >
            {head === '' ? id : head}
          </button>
        ))
      }
    </Menu>
  );
}

function useHidden(table: string): ReadonlySet<string> {
  const { query } = usePlace();
  const said = partsOf(query.get('hide')).filter(([name]) => name === keyOf(table));
  const ids = said.length > 0 ? said.map(([, id]) => id) : (kept()[keyOf(table)] ?? []);
  return new Set(ids.filter((id) => id !== ''));
}

/** Tables of one list, such as `Seen, payments-team`, have one choice. */
function keyOf(table: string): string {
  return table.split(',')[0]!.toLowerCase().replaceAll(/\W+/g, '-');
}

function partsOf(text: string | null): [table: string, column: string][] {
  return (text ?? '').split(',').flatMap((part): [string, string][] => {
    const dot = part.indexOf('.');
    return dot < 1 ? [] : [[part.slice(0, dot), part.slice(dot + 1)]];
  });
}

function kept(): Readonly<Record<string, readonly string[]>> {
  try {
    const all: unknown = JSON.parse(localStorage.getItem(KEPT) ?? '{}');
    return typeof all === 'object' && all !== null ? (all as Record<string, string[]>) : {};
  } catch {
    return {};
  }
}

function keep(table: string, hidden: readonly string[]): void {
  const { [keyOf(table)]: _, ...others } = kept();
  const all = [...Object.entries(others), [keyOf(table), hidden] as const].slice(-MAX_KEPT);
  try {
    localStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(all)));
  } catch {
    // Full: the choice holds for this page only.
  }
}
