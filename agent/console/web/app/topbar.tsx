/** The bar: mesh, where one is, search, namespaces, time, live or paused, and who answered. @module */

import { duration } from '../format/numbers.ts';
import { ago, clockSeconds, exact } from '../format/times.ts';
import { useLink, useNow, usePause, useSession } from '../state/hooks.ts';
import { setPaused } from '../state/store.ts';
import { Icon } from '../ui/icon.tsx';
import { CoveragePill } from './coverage-pill.tsx';
import { NamespaceMenu } from './namespace-menu.tsx';
import { RangeMenu } from './range-menu.tsx';
import { Link, setQuery } from './router.tsx';
import { useRange } from './time.ts';

interface Props {
  readonly crumbs: readonly { text: string; to?: string }[];
  readonly onPalette: () => void;
}

export function TopBar({ crumbs, onPalette }: Props) {
  const session = useSession();
  const { atMs } = useRange();
  return (
    <header className={`bar${atMs === null ? '' : ' is-past'}`}>
      <Link to="/" className="brand">
        <Icon name="weft" size={22} />
        <b>Weft</b>
        <span className="mesh-name">{session?.mesh ?? session?.trustDomain ?? ''}</span>
      </Link>
      <ol className="crumbs" aria-label="Where you are">
        {crumbs.map(({ text, to }) => (
          <li key={`${text}${to}`}>
            {to === undefined ? <span aria-current="page">{text}</span> : <Link to={to}>{text}</Link>}
          </li>
        ))}
      </ol>
      <button type="button" className="search" onClick={onPalette}>
        <Icon name="search" />
        <span>Go to a service, policy, trace…</span>
        <kbd>Ctrl K</kbd>
      </button>
      <NamespaceMenu />
      <RangeMenu />
      {atMs === null ? <LiveButton node={session?.node ?? 'the node'} /> : <Past atMs={atMs} />}
      <CoveragePill />
    </header>
  );
}

function LiveButton({ node }: { readonly node: string }) {
  const pause = usePause();
  const link = useLink();
  const nowMs = useNow(1_000);
  if (pause.isPaused) {
    return (
      <button type="button" className="control live is-paused" onClick={() => setPaused(false)}>
        <Icon name="play" />
        Paused {clockSeconds(pause.atMs)}
        {pause.missed > 0 && `, ${pause.missed} changes since`}
      </button>
    );
  }
  const isLost = link.state === 'lost';
  return (
    <button
      type="button"
      className={`control live${isLost ? ' is-lost' : ''}`}
      onClick={() => setPaused(true)}
      title={isLost ? 'The figures are of before' : 'Pause: what is shown stays as it is'}
    >
      <span className="live-dot" aria-hidden="true" />
      {isLost
        ? `No contact with ${node} for ${duration(nowMs - link.sinceMs)}`
        : link.state === 'live'
          ? 'Live'
          : 'Connecting'}
      <Icon name="pause" />
      <span className="unseen">Pause</span>
    </button>
  );
}

function Past({ atMs }: { readonly atMs: number }) {
  const nowMs = useNow(1_000);
  const { zone } = useRange();
  return (
    <div className="past" title={exact(atMs)}>
      <b>{clockSeconds(atMs, zone)}</b>, {ago(nowMs - atMs)} ·{' '}
      <button type="button" className="textual" onClick={() => setQuery({ at: null }, { replace: false })}>
        Back to live
      </button>
    </div>
  );
}
