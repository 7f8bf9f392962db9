/** The field that narrows a page. `F` and `/` go to it, Escape empties it. @module */
import { useRef } from 'react';
import { useKeys } from '../../app/keys.ts';

interface Props {
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly hint: string;
}

export function FilterField({ value, onChange, hint }: Props) {
  const field = useRef<HTMLInputElement>(null);
  useKeys([{ keys: 'F or /', does: 'Filter', group: 'This page', run: () => field.current?.focus() }]);
  return (
    <input
      ref={field}
      type="search"
      className="filter-field"
      aria-label="Filter"
      placeholder={`Filter: ${hint}`}
      value={value}
      onChange={(event) => onChange(event.target.value)}
      onKeyDown={(event) => event.key === 'Escape' && (value === '' ? field.current?.blur() : onChange(''))}
    />
  );
}
