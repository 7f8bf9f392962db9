/** The request that is explained: method, path and a header. @module */
import { type FormEvent, useState } from 'react';
import type { ExplainQuestion } from '../../../shapes/edge.ts';
import { Button } from '../../ui/button.tsx';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

interface Props {
  readonly question: ExplainQuestion;
  readonly onAsk: (asked: Pick<ExplainQuestion, 'method' | 'path' | 'headers'>) => void;
}

export function RequestForm({ question, onAsk }: Props) {
  const [method, setMethod] = useState(question.method);
  const [path, setPath] = useState(question.path);
  const [header, setHeader] = useState(question.headers.map(([name, value]) => `${name}: ${value}`)[0] ?? '');
  const colon = header.indexOf(':');
  const isHeader = header === '' || colon > 0;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isHeader) return;
    const headers: [string, string][] =
      header === '' ? [] : [[header.slice(0, colon).trim(), header.slice(colon + 1).trim()]];
    onAsk({ method, path: path.startsWith('/') ? path : `/${path}`, headers });
  };
  return (
    <form className="card request-form" onSubmit={submit}>
      <b>A request</b>
      <select aria-label="Method" value={method} onChange={(event) => setMethod(event.target.value)}>
        {[...new Set([method, ...METHODS])].map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      <input aria-label="Path" className="is-code" value={path} onChange={(event) => setPath(event.target.value)} />
      <input
        aria-label="Header"
        className="is-code"
        placeholder="Header, such as x-tenant: acme"
        value={header}
        aria-invalid={!isHeader}
        aria-describedby={isHeader ? undefined : 'header-problem'}
        onChange={(event) => setHeader(event.target.value)}
      />
      <Button kind="primary" icon="play" type="submit">
        Explain
      </Button>
      {!isHeader && (
        <p id="header-problem" className="is-bad">
          Write name: value
        </p>
      )}
    </form>
  );
}
