/** The frame of every page: bar, navigation, the page itself, palette, help and toasts. @module */
import { type ComponentType, Suspense, useEffect, useMemo, useState } from 'react';
import { type Found, findPage } from '../pages/routes.ts';
import { asApiError, useLink, useSession } from '../state/hooks.ts';
import { pauseNow } from '../state/store.ts';
import { chooseTheme, nextTheme, themeChosen } from '../theme/theme.ts';
import { EmptyState, ErrorState, Loading } from '../ui/states.tsx';
import { showToast, Toasts } from '../ui/toast.tsx';
import { Help } from './help.tsx';
import { type KeyAction, useKeys } from './keys.ts';
import { NAV, Nav } from './nav.tsx';
import type { PageRoute } from './pages.ts';
import { Palette } from './palette.tsx';
import { hrefTo, navigate, ParamsContext, usePlace } from './router.tsx';
import { goLive, writeInstant } from './time.ts';
import { TopBar } from './topbar.tsx';
import './shell.css';

export function Shell() {
  const { path } = usePlace();
  const found = useMemo(() => findPage(path), [path]);
  const [isPaletteOpen, setPaletteOpen] = useState(false);
  const [isHelpOpen, setHelpOpen] = useState(false);
  useKeys(shellKeys({ openPalette: () => setPaletteOpen(true), openHelp: () => setHelpOpen(true) }));
  const title = found?.page.title ?? 'Not found';
  useEffect(() => {
    const crumbs = found?.page.crumbs?.(found.params) ?? [];
    document.title = `${crumbs.at(-1)?.text ?? title} · Weft`;
  }, [found, title]);
  return (
    <ParamsContext value={found?.params ?? {}}>
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <TopBar crumbs={crumbsOf(found)} onPalette={() => setPaletteOpen(true)} />
      <Contact />
      <Nav path={path} onHelp={() => setHelpOpen(true)} />
      <main id="main" tabIndex={-1}>
        {found === undefined ? <NotFound path={path} /> : <Page key={found.page.pattern} page={found.page} />}
      </main>
      {isPaletteOpen && <Palette onClose={() => setPaletteOpen(false)} />}
      {isHelpOpen && <Help onClose={() => setHelpOpen(false)} />}
      <Toasts />
    </ParamsContext>
  );
}

/** Read out once when contact is lost, and once when it is back; how long it lasts is in the bar. */
function Contact() {
  const link = useLink();
  const session = useSession();
  const [wasLost, setLost] = useState(false);
  useEffect(() => setLost((was) => was || link.state === 'lost'), [link.state]);
  const node = session?.node ?? 'the node that serves this page';
  const words = link.state === 'lost' ? `No contact with ${node}; figures are of before.` : 'Live again.';
  return (
    <p className="unseen" role="status">
      {wasLost || link.state === 'lost' ? words : ''}
    </p>
  );
}

function crumbsOf(found: Found | undefined): readonly { text: string; to?: string }[] {
  if (found === undefined) return [{ text: 'Not found' }];
  return found.page.crumbs?.(found.params) ?? [{ text: found.page.title }];
}

/** Loads the chunk of a page; what a page throws stays in its place. */
function Page({ page }: { readonly page: PageRoute }) {
  const [loaded, setLoaded] = useState<{ Component: ComponentType } | { error: unknown }>();
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let isGone = false;
    page.load().then(
      (Component) => isGone || setLoaded({ Component }),
      (error) => isGone || setLoaded({ error }),
    );
    return () => {
      isGone = true;
    };
  }, [page, turn]);
  if (loaded === undefined) return <Loading what="the page" />;
  if ('error' in loaded) return <ErrorState error={asApiError(loaded.error)} onRetry={() => setTurn(turn + 1)} />;
  return (
    <Suspense fallback={<Loading what="the page" />}>
      <loaded.Component />
    </Suspense>
  );
}

function NotFound({ path }: { readonly path: string }) {
  return (
    <div className="page">
      <h1>No such page</h1>
      <EmptyState why={`Nothing is at ${path}.`} command="weft --help" />
    </div>
  );
}

function shellKeys(open: { openPalette: () => void; openHelp: () => void }): KeyAction[] {
  return [
    { keys: 'Ctrl+K', does: 'Go to anything', group: 'Everywhere', run: open.openPalette },
    { keys: '?', does: 'These keys', group: 'Everywhere', run: open.openHelp },
    { keys: 'L', does: 'Back to live', group: 'Everywhere', run: goLive },
    { keys: 'C', does: 'Copy link', group: 'Everywhere', run: copyLink },
    {
      keys: 'D',
      does: 'Theme: system, light, dark',
      group: 'Everywhere',
      run: () => chooseTheme(nextTheme(themeChosen())),
    },
    ...NAV.flatMap(({ items }) => items).map(({ key, text, to }) => ({
      keys: `g ${key}`,
      does: text,
      group: 'Go to',
      run: () => navigate(hrefTo(to)),
    })),
  ];
}

/** Paused, to the moment that is shown. */
async function copyLink(): Promise<void> {
  const { isPaused, atMs } = pauseNow();
  const url = new URL(location.href);
  if (isPaused && !url.searchParams.has('at')) url.searchParams.set('at', writeInstant(atMs));
  await navigator.clipboard.writeText(url.href);
  showToast(isPaused ? 'Link to this moment copied' : 'Link copied');
}
