/** Beside the page, about what is chosen in it. Esc closes it and gives the focus back; its width is kept. @module */
import { type CSSProperties, type PointerEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { useKeys } from '../app/keys.ts';
import { IconButton } from './button.tsx';
import './side-panel.css';

const KEY = 'weft.panel';
const WIDTHS = [280, 560] as const;

interface Props {
  readonly title: ReactNode;
  readonly children: ReactNode;
  /** Without it the panel stays. */
  readonly onClose?: () => void;
}

export function SidePanel({ title, children, onClose }: Props) {
  const id = useId();
  const before = useRef<Element | null>(null);
  const [width, setWidth] = useState(() => clamp(Number(localStorage.getItem(KEY)) || 340));
  useEffect(() => {
    before.current = document.activeElement;
  }, []);
  const close = () => {
    onClose?.();
    if (before.current instanceof HTMLElement && before.current.isConnected) before.current.focus();
  };
  // One that stays leaves the key to the page.
  useKeys(onClose === undefined ? [] : [{ keys: 'Escape', does: 'One level back', run: close }]);
  const keep = (next: number) => {
    setWidth(clamp(next));
    localStorage.setItem(KEY, String(clamp(next)));
  };
  const drag = (event: PointerEvent<HTMLDivElement>) => {
    if (event.buttons === 1) keep(width - event.movementX);
  };
  return (
    <aside className="side-panel" aria-labelledby={id} style={{ '--panel-width': `${width}px` } as CSSProperties}>
      {/* biome-ignore lint/a11y/useSemanticElements: a splitter, not a rule between paragraphs */}
      <div
        className="splitter"
        role="separator"
        aria-orientation="vertical"
        aria-label="Width of the panel"
        aria-valuenow={width}
        aria-valuemin={WIDTHS[0]}
        aria-valuemax={WIDTHS[1]}
        tabIndex={0}
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={drag}
        onKeyDown={(event) => {
          if (event.key === 'ArrowLeft') keep(width + 16);
          if (event.key === 'ArrowRight') keep(width - 16);
        }}
      />
      <header>
        <h2 id={id}>{title}</h2>
        {onClose && <IconButton icon="close" label="Close" onClick={close} />}
      </header>
      <div className="side-panel-body">{children}</div>
    </aside>
  );
}

function clamp(width: number): number {
  return Math.max(WIDTHS[0], Math.min(WIDTHS[1], Math.round(width)));
}
