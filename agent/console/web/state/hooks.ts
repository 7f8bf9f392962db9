/** How components read: a live topic, one GET, the session, the link. @module */
import { useCallback, useEffect, useLayoutEffect, useState, useSyncExternalStore } from 'react';
import type { Coverage } from '../../../mesh-query/shapes.ts';
import type { Session } from '../../shapes/common.ts';
import { ApiError, get, session } from './api.ts';
import * as store from './store.ts';

export type ReadState = 'loading' | 'live' | 'stale' | 'error';
export interface Read<T> {
  readonly data: T | undefined;
  readonly coverage: Coverage | undefined;
  /** `stale`: what was known before contact was lost. `error`: nothing is known, or the node says why it cannot tell. */
  readonly state: ReadState;
  readonly error: ApiError | undefined;
  readonly asOfMs: number | undefined;
}

/**
 * The path of a GET of the API, kept up to date: `/topology?view=service`; null reads nothing. With `atMs` in the path, which is
 * the past and does not change, it is asked for once.
 */
export function useTopic<T>(path: string | null): Read<T> {
  const isPast = path !== null && /[?&]atMs=\d/.test(path);
  const past = useGet<T>(isPast ? path : null);
  const topic = isPast ? null : path;
  useLayoutEffect(() => (topic === null ? undefined : store.want(topic)), [topic]); // not after the first picture
  const subscribe = useCallback(
    (listener: () => void) => (topic === null ? () => {} : store.subscribe(topic, listener)),
    [topic],
  );
  const record = useSyncExternalStore(subscribe, () => (topic === null ? undefined : store.record(topic)));
  const link = useLink();
  if (isPast) return past;
  if (record === undefined || record.data === null) {
    const problem = record?.problem;
    const error = problem ? new ApiError(problem.status, `http-${problem.status}`, problem.error) : undefined;
    return { data: undefined, coverage: undefined, state: error ? 'error' : 'loading', error, asOfMs: undefined };
  }
  const data = record.data as T & { coverage?: Coverage };
  const isStale = link.state === 'lost' || record.problem !== null;
  return { data, coverage: data.coverage, state: isStale ? 'stale' : 'live', error: undefined, asOfMs: record.atMs };
}

export interface Got<T> extends Read<T> {
  readonly reload: () => void;
}

/** One GET, again when the path changes or on `reload`; null asks nothing. */
export function useGet<T>(path: string | null): Got<T> {
  const [turn, setTurn] = useState(0);
  const [got, setGot] = useState<{ path: string | null; data?: T; error?: ApiError; atMs?: number }>({ path: null });
  useEffect(() => {
    if (path === null) return;
    const abort = new AbortController();
    get<T>(path, abort.signal).then(
      (data) => {
        store.noteCoverage(data);
        setGot({ path, data, atMs: Date.now() });
      },
      (error) => abort.signal.aborted || setGot({ path, error: asApiError(error) }),
    );
    return () => abort.abort();
  }, [path, turn]);
  const reload = useCallback(() => setTurn((value) => value + 1), []);
  const isOurs = got.path === path;
  const data = isOurs ? got.data : undefined;
  const error = isOurs ? got.error : undefined;
  return {
    data,
    coverage: (data as { coverage?: Coverage } | undefined)?.coverage,
    state: error ? 'error' : data === undefined ? 'loading' : 'live',
    error,
    asOfMs: isOurs ? got.atMs : undefined,
    reload,
  };
}

export function useLink(): store.Link {
  return useSyncExternalStore(subscribeLink, store.linkNow);
}
export function usePause(): store.Pause {
  return useSyncExternalStore(subscribePause, store.pauseNow);
}
/** Of the answer that came last. */
export function useCoverage(): Coverage | undefined {
  return useSyncExternalStore(subscribeCoverage, store.coverageNow);
}
const subscribeLink = (listener: () => void) => store.subscribe(store.LINK, listener);
const subscribePause = (listener: () => void) => store.subscribe(store.PAUSE, listener);
const subscribeCoverage = (listener: () => void) => store.subscribe(store.COVERAGE, listener);

/** Who is signed in, at which node of which mesh; undefined until it is known. */
export function useSession(): Session | undefined {
  const [known, setKnown] = useState<Session>();
  useEffect(() => {
    let isGone = false;
    session().then(
      (value) => isGone || setKnown(value),
      () => {}, // the page says what it cannot read
    );
    return () => {
      isGone = true;
    };
  }, []);
  return known;
}

/** Renders anew every `everyMs`, for ages. */
export function useNow(everyMs = 1_000): number {
  const [nowMs, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return nowMs;
}

export function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(0, 'no-answer', String((error as Error)?.message ?? error));
}
