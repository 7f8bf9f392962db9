/** What every page has: one heading, its conclusion in words, what one can do, and the command that shows the same. @module */
import type { ReactNode } from 'react';
import { CommandLine } from './command-line.tsx';

interface Props {
  readonly title: ReactNode;
  /** The conclusion, beside the heading. */
  readonly status?: ReactNode;
  readonly about?: ReactNode;
  readonly actions?: ReactNode;
  readonly command?: string;
  readonly children: ReactNode;
}

export function Frame({ title, status, about, actions, command, children }: Props) {
  return (
    <div className="page">
      <header className="stack">
        <div className="page-head">
          <h1>{title}</h1>
          {status}
          {actions !== undefined && <div className="actions">{actions}</div>}
        </div>
        {about !== undefined && <div className="row muted">{about}</div>}
      </header>
      {children}
      {command !== undefined && <CommandLine command={command} />}
    </div>
  );
}
