/** Small marks with words: what a value comes from, and what a filter holds. @module */
import type { ReactNode } from 'react';
import type { Source } from '../../shapes/common.ts';
import { Link } from '../app/router.tsx';
import { Icon } from './icon.tsx';
import './chip.css';

/** `onRemove` adds a cross. */
export function Chip({
  children,
  title,
  onRemove,
}: {
  readonly children: ReactNode;
  readonly title?: string;
  readonly onRemove?: () => void;
}) {
  return (
    <span className="chip" title={title}>
      {children}
      {onRemove && (
        <button type="button" aria-label={`Remove ${typeof children === 'string' ? children : ''}`} onClick={onRemove}>
          <Icon name="close" size={12} />
        </button>
      )}
    </span>
  );
}

/** The document that a value comes from, at its line; without one it is the default. */
export function SourceChip({ source }: { readonly source: Source | null }) {
  if (source === null) return <Chip title="No document says otherwise">default</Chip>;
  const { kind, namespace, name, rev, line } = source;
  const path = [kind, namespace || '-', name].map(encodeURIComponent).join('/');
  return (
    <Link
      className="chip"
      to={`/policies/${path}${rev === null ? '' : `?rev=${encodeURIComponent(rev)}`}${line === null ? '' : `#L${line}`}`}
    >
      {kind} <b>{name}</b>
      {rev !== null && <span className="muted">rev {shortRev(rev)}</span>}
    </Link>
  );
}

/** Revisions are long; their head tells them apart. */
export function shortRev(rev: string): string {
  return rev.length > 12 ? rev.slice(0, 8) : rev;
}
