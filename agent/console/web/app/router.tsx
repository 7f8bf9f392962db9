/**
 * All state is in the address. `ns`, `t`, `at` and `tz` follow every link; the rest belongs to one page. A page is found by its
 * pattern: `/services/:ns/:name/:tab?`.
 * @module
 */
import { type ComponentProps, createContext, type MouseEvent, useContext, useSyncExternalStore } from 'react';

export interface Place {
  readonly path: string;
  readonly query: URLSearchParams;
}
/** What follows every link. */
const STICKY = ['ns', 't', 'at', 'tz'];
const listeners = new Set<() => void>();
let place: Place = read();

export function usePlace(): Place {
  return useSyncExternalStore(subscribe, placeNow);
}
export const placeNow = (): Place => place;

/** An address of the console with what follows every link; `query` adds to it, null takes away. */
export function hrefTo(path: string, query: Readonly<Record<string, string | null>> = {}): string {
  const [bare = '/', own = ''] = path.split('?');
  const params = new URLSearchParams(own);
  for (const key of STICKY) {
    const value = place.query.get(key);
    if (value !== null && !params.has(key)) params.set(key, value);
  }
  for (const [key, value] of Object.entries(query)) value === null ? params.delete(key) : params.set(key, value);
  return bare + written(params);
}

/** Goes to an address of the console; what is outside it is left to the browser. */
export function navigate(href: string, { replace = false } = {}): void {
  if (replace) history.replaceState(null, '', href);
  else history.pushState(null, '', href);
  changed();
  if (!replace) document.querySelector('main')?.scrollTo(0, 0);
}

/** Changes the query of this page. A move that one may want to go back from is not `replace`. */
export function setQuery(query: Readonly<Record<string, string | null>>, { replace = true } = {}): void {
  const params = new URLSearchParams(place.query);
  for (const [key, value] of Object.entries(query)) {
    if (value === null || value === '') params.delete(key);
    else params.set(key, value);
  }
  navigate(place.path + written(params), { replace });
}

/** A link within the console. `to` is a path with the query of its own. */
export function Link({ to, onClick, ...rest }: Omit<ComponentProps<'a'>, 'href'> & { readonly to: string }) {
  usePlace(); // what follows every link may change
  const href = hrefTo(to);
  const go = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    navigate(href);
  };
  return <a {...rest} href={href} onClick={go} />;
}

export type Params = Readonly<Record<string, string>>;

/** The values of `:name` parts, decoded; undefined: another page. Parts that end in `?` may be absent. */
export function matchPath(pattern: string, path: string): Params | undefined {
  const wanted = pattern.split('/').filter(Boolean);
  const given = path.split('/').filter(Boolean);
  if (given.length > wanted.length) return undefined;
  const params: Record<string, string> = {};
  for (const [i, part] of wanted.entries()) {
    const value = given[i];
    if (value === undefined) {
      if (part.endsWith('?')) continue;
      return undefined;
    }
    if (part.startsWith(':')) params[part.replace(/^:|\?$/g, '')] = decode(value);
    else if (part !== value) return undefined;
  }
  return params;
}

export const ParamsContext = createContext<Params>({});
export function useParams(): Params {
  return useContext(ParamsContext);
}

export function startRouter(): void {
  addEventListener('popstate', changed);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function changed(): void {
  place = read();
  for (const listener of listeners) listener();
}

function read(): Place {
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}

/** Readable: `ns:pay p99>500` is not escaped more than an address needs. */
function written(params: URLSearchParams): string {
  const text = params
    .toString()
    .replaceAll('%3A', ':')
    .replaceAll('%2F', '/')
    .replaceAll('%2C', ',')
    .replaceAll('%3E', '>');
  return text === '' ? '' : `?${text}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
