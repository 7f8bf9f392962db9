/** Ctrl K: one field for every name of the mesh. Fuzzy and local; a trace id goes to its trace. @module */
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react';
import type { NameIndex } from '../../shapes/mesh.ts';
import { useGet } from '../state/hooks.ts';
import { Icon, type IconName } from '../ui/icon.tsx';
import { bestMatches } from './fuzzy.ts';
import { NAV } from './nav.tsx';
import { hrefTo, navigate } from './router.tsx';
import './palette.css';

type Entry = Omit<NameIndex['entries'][number], 'kind'> & { readonly kind: string };
const SHOWN = 12;
const RECENT_KEY = 'weft.recent';
const MAX_RECENT = 8;
const ICONS: Readonly<Record<string, IconName>> = {
  service: 'list',
  route: 'split',
  document: 'document',
  node: 'node',
  identity: 'key',
  page: 'topology',
  trace: 'trace',
};

export function Palette({ onClose }: { readonly onClose: () => void }) {
  const { data, state } = useGet<NameIndex>('/index');
  const [text, setText] = useState('');
  const [place, setPlace] = useState(0);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const entries = useMemo(() => allEntries(data), [data]);
  const shown = useMemo(() => choose(entries, text.trim()), [entries, text]);
  const current = Math.min(place, shown.length - 1);
  const go = (entry: Entry | undefined, isNewTab: boolean) => {
    if (entry === undefined) return;
    remember(entry);
    if (isNewTab) window.open(hrefTo(entry.href), '_blank', 'noopener');
    else navigate(hrefTo(entry.href));
    onClose();
  };
  const onKey = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step !== 0) setPlace((current + step + shown.length) % Math.max(1, shown.length));
    else if (event.key === 'Enter') go(shown[current], event.ctrlKey || event.metaKey);
    else return;
    event.preventDefault();
  };
  return (
    <dialog
      ref={dialog}
      className="palette"
      aria-label="Go to"
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && onClose()}
      onKeyDown={() => {}}
    >
      <div className="palette-field">
        <Icon name="search" />
        <input
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={shown.length > 0 ? `palette-${current}` : undefined}
          aria-label="Name, trace id or address"
          placeholder="Go to a service, policy, trace…"
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            setPlace(0);
          }}
          onKeyDown={onKey}
        />
      </div>
      <div id="palette-list" role="listbox" aria-label="Found" tabIndex={-1}>
        {shown.map((entry, i) => (
          <div
            key={`${entry.kind} ${entry.href}`}
            id={`palette-${i}`}
            role="option"
            tabIndex={-1}
            aria-selected={i === current}
            onClick={(event) => go(entry, event.ctrlKey)}
            onKeyDown={() => {}}
            onMouseMove={() => setPlace(i)}
          >
            <Icon name={ICONS[entry.kind] ?? 'list'} />
            <span>{entry.name}</span>
            <span className="muted">{entry.kind}</span>
          </div>
        ))}
      </div>
      {shown.length === 0 && (
        <p className="muted palette-none">
          {state === 'loading' ? 'Asking for the names…' : `Nothing is called ${text}.`}
        </p>
      )}
    </dialog>
  );
}

function allEntries(data: NameIndex | undefined): readonly Entry[] {
  const pages = NAV.flatMap(({ items }) => items.map(({ text, to }) => ({ kind: 'page', name: text, href: to })));
  return [...pages, ...(data?.entries ?? [])];
}

function choose(entries: readonly Entry[], text: string): readonly Entry[] {
  if (text === '') {
    const recent = recentHrefs();
    const found = recent.flatMap((href) => entries.find((entry) => entry.href === href) ?? []);
    return [...new Set([...found, ...entries])].slice(0, SHOWN);
  }
  const matches = bestMatches(entries, text, SHOWN);
  if (!/^[0-9a-f]{16,32}$/i.test(text)) return matches;
  return [{ kind: 'trace', name: text, href: `/traces/${text.toLowerCase()}` }, ...matches];
}

function recentHrefs(): string[] {
  return (localStorage.getItem(RECENT_KEY) ?? '').split('\n').filter(Boolean);
}

function remember({ href }: Entry): void {
  const hrefs = [href, ...recentHrefs().filter((other) => other !== href)].slice(0, MAX_RECENT);
  localStorage.setItem(RECENT_KEY, hrefs.join('\n'));
}
