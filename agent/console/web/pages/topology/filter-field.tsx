/** The field that narrows what is shown; `f` in the address. F or / puts the focus there. @module */
import { useEffect, useId, useRef, useState } from 'react';
import { useKeys } from '../../app/keys.ts';
import { setQuery } from '../../app/router.tsx';
import { Icon } from '../../ui/icon.tsx';
import { completions } from './words.ts';

/** After the last key, so that a graph of a thousand is not narrowed for each letter. */
const WAIT_MS = 150;

interface Props {
  readonly value: string;
  readonly problems: readonly string[];
  /** Terms that would find something: `ns:pay`, `health:bad`. */
  readonly terms: readonly string[];
}

export function FilterField({ value, problems, terms }: Props) {
  const list = useId();
  const field = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => setQuery({ f: text }), WAIT_MS);
    return () => clearTimeout(timer);
  }, [text, value]);
  useKeys([{ keys: 'F or /', does: 'Filter', run: () => field.current?.focus() }]);
  return (
    <label
      className="filter"
      title={problems.join('\n') || 'ns:pay,shop health:bad p99>500ms failed>1% proto:grpc -kind:outside text'}
    >
      <Icon name="filter" />
      <span className="unseen">Filter</span>
      <input
        ref={field}
        value={text}
        placeholder="Filter: ns:pay"
        list={list}
        autoComplete="off"
        aria-invalid={problems.length > 0}
        aria-describedby={problems.length > 0 ? 'filter-problem' : undefined}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return;
          setText('');
          field.current?.blur();
        }}
      />
      <datalist id={list}>
        {completions(text, terms).map((whole) => (
          <option key={whole} value={whole} />
        ))}
      </datalist>
      <kbd>F</kbd>
      {problems.length > 0 && (
        <span className="filter-problem" id="filter-problem">
          {problems[0]}
        </span>
      )}
    </label>
  );
}
