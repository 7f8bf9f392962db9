/** The navigation at the left. @module */

import { ago } from '../format/times.ts';
import { useNow, useSession, useTopic } from '../state/hooks.ts';
import { Icon, type IconName } from '../ui/icon.tsx';
import { Link } from './router.tsx';

interface Item {
  readonly text: string;
  readonly to: string;
  readonly icon: IconName;
  /** After `g`. */
  readonly key: string;
}
export const NAV: readonly { readonly title: string; readonly items: readonly Item[] }[] = [
  {
    title: 'Observe',
    items: [
      { text: 'Topology', to: '/', icon: 'topology', key: 't' },
      { text: 'Services', to: '/services', icon: 'list', key: 's' },
      { text: 'Traces', to: '/traces', icon: 'trace', key: 'c' },
      { text: 'Logs', to: '/logs', icon: 'lines', key: 'o' },
      { text: 'Events', to: '/events', icon: 'clock', key: 'e' },
    ],
  },
  {
    title: 'Change',
    items: [{ text: 'Policies', to: '/policies', icon: 'document', key: 'p' }],
  },
  {
    title: 'Mesh',
    items: [
      { text: 'Members', to: '/members', icon: 'node', key: 'm' },
      { text: 'Identities', to: '/identities', icon: 'key', key: 'i' },
    ],
  },
];

export function Nav({ path, onHelp }: { readonly path: string; readonly onHelp: () => void }) {
  return (
    <nav className="nav" aria-label="Pages">
      {NAV.map(({ title, items }) => (
        <div key={title} className="nav-group">
          <h2>{title}</h2>
          <ul>
            {items.map((item) => (
              <li key={item.to}>
                <Link to={item.to} title={item.text} aria-current={isAt(item.to, path) ? 'page' : undefined}>
                  <Icon name={item.icon} />
                  <span>{item.text}</span>
                </Link>
              </li>
            ))}
          </ul>
        </div>
      ))}
      <ServedBy onHelp={onHelp} />
    </nav>
  );
}

function ServedBy({ onHelp }: { readonly onHelp: () => void }) {
  const session = useSession();
  const { asOfMs } = useTopic<unknown>('/members');
  const nowMs = useNow(2_000);
  return (
    <div className="served">
      {session && (
        <p>
          Served by <b>{session.node}</b>
        </p>
      )}
      <p>
        {session ? `Weft ${session.version}` : 'Weft'}
        {asOfMs !== undefined && ` · heard ${ago(nowMs - asOfMs)}`}
      </p>
      <button type="button" className="textual" onClick={onHelp}>
        Keys <kbd>?</kbd>
      </button>
    </div>
  );
}

function isAt(to: string, path: string): boolean {
  return to === '/' ? path === '/' || path.startsWith('/edges/') : path === to || path.startsWith(`${to}/`);
}
