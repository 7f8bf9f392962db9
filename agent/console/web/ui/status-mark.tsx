/** Health as a glyph with its word; colour comes third. The title says the rule that decided. @module */
import type { Health } from '../../shapes/common.ts';
import './status-mark.css';

/** `mesh`: a failure that the mesh made. */
export type Mark = Health | 'mesh';
export const MARK_WORDS: Readonly<Record<Mark, string>> = {
  bad: 'Failing',
  warn: 'Degraded',
  unknown: 'Unknown',
  quiet: 'Quiet',
  ok: 'Fine',
  mesh: 'Mesh',
};
/** Worst first. */
export const HEALTH_ORDER: readonly Health[] = ['bad', 'warn', 'unknown', 'quiet', 'ok'];

export function HealthGlyph({ health, size = 14 }: { readonly health: Mark; readonly size?: number }) {
  return (
    <svg className={`glyph glyph-${health}`} width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      {SHAPES[health]}
    </svg>
  );
}

interface Props {
  readonly health: Mark;
  /** Instead of the word: `4.2 % failing`. */
  readonly children?: string;
  /** `failed 4.2 % of 2,070 requests`. */
  readonly cause?: string | undefined;
  /** On a ground of its own. */
  readonly isSoft?: boolean;
  /** For narrow places; the word is still read out. */
  readonly isGlyphOnly?: boolean;
}

export function StatusMark({ health, children, cause, isSoft = false, isGlyphOnly = false }: Props) {
  const word = children ?? MARK_WORDS[health];
  const label = `${health}: ${word}${cause ? `, ${cause}` : ''}`;
  return (
    <span
      className={`status is-${health === 'quiet' ? 'unknown' : health}${isSoft ? ' is-soft' : ''}`}
      role="img"
      aria-label={label}
      title={cause || word}
    >
      <HealthGlyph health={health} />
      {!isGlyphOnly && <span aria-hidden="true">{word}</span>}
    </span>
  );
}

const SHAPES: Readonly<Record<Mark, React.ReactNode>> = {
  ok: (
    <>
      <circle cx="8" cy="8" r="7" className="ground" />
      <path d="M4.8 8.2l2.2 2.2 4.2-4.6" className="sign" />
    </>
  ),
  warn: (
    <>
      <path d="M8 1.2L15.4 14.4H0.6z" className="ground" />
      <path d="M8 6v4M8 12.2v.1" className="sign" />
    </>
  ),
  bad: (
    <>
      <path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z" className="ground" />
      <path d="M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8" className="sign" />
    </>
  ),
  mesh: (
    <>
      <rect x="1" y="1" width="14" height="14" rx="3" className="ground" />
      <path d="M9 3.6L5.2 8.8h2.6L7 12.4l3.8-5.2H8.2z" className="sign filled" />
    </>
  ),
  unknown: (
    <>
      <circle cx="8" cy="8" r="6.6" className="ring dashed" />
      <path d="M6.2 6.4a1.9 1.9 0 1 1 2.6 1.8c-.6.3-.8.6-.8 1.2M8 11.6v.1" className="line" />
    </>
  ),
  quiet: <circle cx="8" cy="8" r="3.6" className="ring" />,
};
