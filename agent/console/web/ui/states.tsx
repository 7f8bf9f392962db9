/** What stands in the place of an answer: still waiting, nothing there, or an error; each says what to do. @module */
import { type ReactNode, useEffect, useState } from 'react';
import type { ApiError } from '../state/api.ts';
import { Button, CopyButton } from './button.tsx';
import { HealthGlyph } from './status-mark.tsx';
import './states.css';

/** Blocks after 200 ms, words after 3 s. */
export function Loading({ what = 'the answer', rows = 3 }: { readonly what?: string; readonly rows?: number }) {
  const [stage, setStage] = useState(0);
  useEffect(() => {
    const timers = [setTimeout(() => setStage(1), 200), setTimeout(() => setStage(2), 3_000)];
    return () => timers.forEach(clearTimeout);
  }, []);
  return (
    <div className="loading" role="status" aria-busy="true">
      {stage > 0 && Array.from({ length: rows }, (_, i) => <div key={i} className="block" />)}
      <span className={stage > 1 ? 'muted' : 'unseen'}>Waiting for {what}</span>
    </div>
  );
}

interface EmptyProps {
  /** Why there is nothing. */
  readonly why: string;
  /** The one command that fills it. */
  readonly command?: string;
  readonly children?: ReactNode;
}

export function EmptyState({ why, command, children }: EmptyProps) {
  return (
    <div className="empty">
      <p>{why}</p>
      {command && (
        <p className="row">
          <code>{command}</code>
          <CopyButton text={command} />
        </p>
      )}
      {children}
    </div>
  );
}

export function ErrorState({
  error,
  onRetry,
}: {
  readonly error: ApiError | undefined;
  readonly onRetry?: () => void;
}) {
  return (
    <div className="failed" role="alert">
      <HealthGlyph health="bad" />
      <div>
        <p>{error?.message ?? 'It is not known what went wrong'}</p>
        <p className="muted">
          {error?.code} {TRY[error?.status ?? 0] ?? ''}
        </p>
      </div>
      {onRetry && (
        <Button icon="retry" onClick={onRetry}>
          Retry
        </Button>
      )}
    </div>
  );
}

const TRY: Readonly<Record<number, string>> = {
  0: 'Try another node’s console: weft members',
  401: 'Log in again; the session has ended',
  403: 'Your roles do not allow it; ask who holds them',
  404: 'It may have been removed, or be of another namespace',
  503: 'The node is starting or short of answers; try again in some seconds',
};
