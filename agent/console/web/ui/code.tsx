/** A document to read: coloured, each line with an address of its own, `#L13`; lines that are meant are marked. @module */
import { useEffect, useMemo, useRef } from 'react';
import { usePlace } from '../app/router.tsx';
import { yamlTokens } from './yaml-tokens.ts';
import './code.css';

interface Props {
  readonly text: string;
  readonly name: string;
  /** From 1. Without it the line of the address. */
  readonly markedLine?: number | null;
  /** Only these lines around the marked one. */
  readonly around?: number;
  /** By line, from 1: what is wrong there. */
  readonly problems?: ReadonlyMap<number, string>;
}

export function Code({ text, name, markedLine, around, problems }: Props) {
  usePlace();
  const lines = useMemo(() => yamlTokens(text.replace(/\n$/, '')), [text]);
  const marked = markedLine ?? (Number(/^#L(\d+)$/.exec(location.hash)?.[1]) || 0);
  const root = useRef<HTMLPreElement>(null);
  useEffect(() => {
    if (marked > 0) root.current?.querySelector('.is-marked')?.scrollIntoView({ block: 'nearest' });
  }, [marked]);
  const from = around === undefined || marked === 0 ? 0 : Math.max(0, marked - 1 - around);
  const to = around === undefined ? lines.length : Math.min(lines.length, from + 2 * around + 1);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a text, not fields
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
    <pre className="code" ref={root} role="group" aria-label={name} tabIndex={0}>
      {lines.slice(from, to).map((tokens, i) => {
        const number = from + i + 1;
        const problem = problems?.get(number);
        let place = 0;
        return (
          <div
            key={number}
            id={`L${number}`}
            className={`code-line${number === marked ? ' is-marked' : ''}${problem ? ' is-wrong' : ''}`}
          >
            <a className="line-number" href={`#L${number}`} aria-label={`Line ${number}`} tabIndex={-1}>
              {number}
            </a>
            <code>
              {tokens.map(({ kind, text }) => {
                place += text.length + 1;
                return (
                  <span key={place} className={`y-${kind}`}>
                    {text}
                  </span>
                );
              })}
              {problem && <span className="code-problem">{problem}</span>}
            </code>
          </div>
        );
      })}
    </pre>
  );
}
