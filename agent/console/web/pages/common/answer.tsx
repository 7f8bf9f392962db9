/** The states of an answer, the same on every page: loading, error, forbidden, empty, old, of some nodes only. @module */
import type { ReactNode } from 'react';
import { plural } from '../../format/numbers.ts';
import { ago } from '../../format/times.ts';
import { type Read, useNow, useSession } from '../../state/hooks.ts';
import { Banner } from '../../ui/card.tsx';
import { EmptyState, ErrorState, Loading } from '../../ui/states.tsx';
import { KeyField } from './key-field.tsx';
import './pages.css';

interface Props<T> {
  readonly read: Read<T> & { readonly reload?: () => void };
  /** `services`, for sentences. */
  readonly what: string;
  readonly isEmpty?: (data: T) => boolean;
  readonly empty?: { readonly why: string; readonly command: string };
  readonly children: (data: T) => ReactNode;
}

export function Answer<T>({ read, what, isEmpty, empty, children }: Props<T>) {
  const { data, error, state } = read;
  if (data === undefined) {
    if (error === undefined) return <Loading what={what} />;
    if (error.status === 401) return <LogIn />;
    if (error.status === 403) return <Forbidden what={what} role={roleOf(error.details)} />;
    return <ErrorState error={error} {...(read.reload === undefined ? {} : { onRetry: read.reload })} />;
  }
  return (
    <>
      {state === 'stale' && <Stale asOfMs={read.asOfMs} />}
      <Missing read={read} what={what} />
      {empty !== undefined && isEmpty?.(data) ? <EmptyState why={empty.why} command={empty.command} /> : children(data)}
    </>
  );
}

function LogIn() {
  return (
    <Banner tone="unknown" actions={<KeyField onChosen={() => location.reload()} />}>
      <p>
        Log in with the key that you sign documents with. It is read in this page and goes nowhere else. Where the mesh
        has single sign-on: <a href="/api/v1/login/oidc">log in there</a>.
      </p>
    </Banner>
  );
}

function Forbidden({ what, role }: { readonly what: string; readonly role: string }) {
  return (
    <Banner tone="unknown">
      <span role="status">
        You may not see {what} here. It takes the role {role}; whoever runs the mesh can give it to you.
      </span>
    </Banner>
  );
}

/** Not a live region: the bar says it once, and this counts on. */
function Stale({ asOfMs }: { readonly asOfMs: number | undefined }) {
  const nowMs = useNow();
  const node = useSession()?.node ?? 'the node that serves this page';
  return (
    <Banner tone="unknown">
      No contact with {node}. What follows was known {ago(nowMs - (asOfMs ?? nowMs))}.
    </Banner>
  );
}

function Missing<T>({ read, what }: Pick<Props<T>, 'read' | 'what'>) {
  const missing = read.coverage?.missing ?? [];
  if (missing.length === 0) return null;
  const names = missing.map(({ node }) => node).join(', ');
  return (
    <Banner tone="unknown">
      <span role="status">
        {plural(missing.length, 'node')} did not answer: {names}. What {missing.length === 1 ? 'it' : 'they'} would say
        of {what} is not in here.
      </span>
    </Banner>
  );
}

function roleOf(details: unknown): string {
  const role = typeof details === 'object' && details !== null && 'role' in details ? details.role : undefined;
  return typeof role === 'string' ? role : 'view';
}
