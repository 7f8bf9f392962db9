/** What differs between two texts: in two columns where there is room, with + and - in the text. @module */
import { useMemo, useState } from 'react';
import { plural } from '../format/numbers.ts';
import { type DiffLine, type DiffPart, differing, diffLines, fold, type Piece } from './diff-lines.ts';
import './diff.css';

interface Props {
  readonly left: string;
  readonly right: string;
  readonly leftName: string;
  readonly rightName: string;
}

export function Diff({ left, right, leftName, rightName }: Props) {
  const lines = useMemo(() => diffLines(left, right), [left, right]);
  const parts = useMemo(() => fold(lines), [lines]);
  const number = differing(lines);
  if (number === 0) return <p className="muted diff-none">{`${leftName} and ${rightName} are alike.`}</p>;
  return (
    <figure className="diff">
      <figcaption>
        {leftName} against {rightName}: {plural(number, 'line')} differ
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys */}
      <div className="diff-body" tabIndex={0}>
        {parts.map((part) => (
          <Part key={`${part.kind} ${part.lines[0]?.leftLine} ${part.lines[0]?.rightLine}`} part={part} />
        ))}
      </div>
    </figure>
  );
}

function Part({ part }: { readonly part: DiffPart }) {
  const [isOpen, setOpen] = useState(part.kind === 'lines');
  if (!isOpen) {
    return (
      <button type="button" className="diff-fold" onClick={() => setOpen(true)}>
        {plural(part.lines.length, 'line')} alike
      </button>
    );
  }
  return part.lines.map((line) => <Line key={`${line.leftLine} ${line.rightLine}`} line={line} />);
}

function Line({ line }: { readonly line: DiffLine }) {
  const { kind, leftLine, rightLine, left, right } = line;
  return (
    <div className={`diff-line diff-${kind}`}>
      <Side number={leftLine} sign={kind === 'same' ? ' ' : '-'} pieces={left} side="left" />
      <Side number={rightLine} sign={kind === 'same' ? ' ' : '+'} pieces={right} side="right" />
    </div>
  );
}

function Side(props: { number: number; sign: string; pieces: readonly Piece[]; side: 'left' | 'right' }) {
  const { number, sign, pieces, side } = props;
  if (number === 0) return <div className={`diff-side is-none diff-${side}`} />;
  const Mark = side === 'left' ? 'del' : 'ins';
  let place = 0;
  return (
    <div className={`diff-side diff-${side}`}>
      <span className="line-number">{number}</span>
      <span className="diff-sign">{sign}</span>
      <code>
        {pieces.map(({ text, isChanged }) => {
          place += text.length;
          return isChanged ? <Mark key={place}>{text}</Mark> : <span key={place}>{text}</span>;
        })}
      </code>
    </div>
  );
}
