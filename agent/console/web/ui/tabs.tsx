/** Parts of a page, each with an address: links, so that they open in a new tab too. @module */
import { Link } from '../app/router.tsx';
import { count } from '../format/numbers.ts';
import './tabs.css';

export interface Tab {
  readonly id: string;
  readonly text: string;
  readonly to: string;
  readonly count?: number | undefined;
}

export function Tabs({
  name,
  tabs,
  current,
}: {
  readonly name: string;
  readonly tabs: readonly Tab[];
  readonly current: string;
}) {
  return (
    <nav className="tabs" aria-label={name}>
      {tabs.map((tab) => (
        <Link key={tab.id} to={tab.to} aria-current={tab.id === current ? 'page' : undefined}>
          {tab.text}
          {tab.count !== undefined && <span className="muted">{count(tab.count)}</span>}
        </Link>
      ))}
    </nav>
  );
}
