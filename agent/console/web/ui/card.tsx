/** A part of a page with a title; what fails inside stays inside. @module */
import type { ReactNode } from 'react';
import './card.css';

interface Props {
  readonly title?: ReactNode;
  /** At the right of the title. */
  readonly aside?: ReactNode;
  readonly children: ReactNode;
  /** No space around what is inside: for tables and code. */
  readonly isFlush?: boolean;
  readonly className?: string;
}

export function Card({ title, aside, children, isFlush = false, className = '' }: Props) {
  return (
    <section className={`card${isFlush ? ' is-flush' : ''} ${className}`}>
      {(title !== undefined || aside !== undefined) && (
        <header>
          <h2>{title}</h2>
          {aside !== undefined && <div className="muted">{aside}</div>}
        </header>
      )}
      {children}
    </section>
  );
}

/** A sentence on the ground of its state, with what can be done about it. */
export function Banner({
  tone,
  children,
  actions,
}: {
  readonly tone: 'ok' | 'warn' | 'bad' | 'mesh' | 'unknown';
  readonly children: ReactNode;
  readonly actions?: ReactNode;
}) {
  return (
    <div className={`banner banner-${tone}`}>
      <div>{children}</div>
      {actions && <div className="row">{actions}</div>}
    </div>
  );
}

/** One figure with its name. */
export function Figure({
  name,
  value,
  note,
  tone,
}: {
  readonly name: string;
  readonly value: ReactNode;
  readonly note?: ReactNode;
  readonly tone?: string;
}) {
  return (
    <div className="figure">
      <span className="muted">{name}</span>
      <span className={`figure-value ${tone ? `is-${tone}` : ''}`}>{value}</span>
      {note && <span className="muted">{note}</span>}
    </div>
  );
}

/** Name and value, line by line. */
export function Facts({ items }: { readonly items: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="facts">
      {items.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Parts of a whole; what the parts are is said beside it. */
export function ShareBar({
  parts,
  label,
}: {
  readonly parts: readonly { readonly ratio: number; readonly color: string; readonly name: string }[];
  readonly label: string;
}) {
  return (
    <div className="share-bar" role="img" aria-label={label}>
      {parts
        .filter(({ ratio }) => ratio > 0)
        .map(({ ratio, color, name }) => (
          <span key={name} title={name} style={{ flexGrow: ratio, background: `var(--${color})` }} />
        ))}
    </div>
  );
}
