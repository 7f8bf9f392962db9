/** A button that opens a small panel below it; Esc and a click elsewhere close it, focus goes back. @module */
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { Icon, type IconName } from './icon.tsx';
import { HealthGlyph, type Mark } from './status-mark.tsx';
import './menu.css';

interface Props {
  readonly label: string;
  /** What the menu is of. */
  readonly name: string;
  readonly prefix?: string;
  readonly icon?: IconName;
  readonly mark?: Mark;
  readonly className?: string;
  readonly role?: 'menu' | 'dialog';
  readonly onOpen?: () => void;
  readonly children: (close: () => void) => ReactNode;
}

export function Menu({
  label,
  name,
  prefix,
  icon,
  mark,
  className = 'control',
  role = 'menu',
  onOpen,
  children,
}: Props) {
  const [isOpen, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  useEffect(() => {
    if (!isOpen) return;
    const onDown = (event: PointerEvent) => !root.current?.contains(event.target as Node) && setOpen(false);
    addEventListener('pointerdown', onDown);
    root.current?.querySelector<HTMLElement>('.menu-panel :is(button,a)')?.focus();
    return () => removeEventListener('pointerdown', onDown);
  }, [isOpen]);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!isOpen) return;
    if (event.key === 'Escape') close();
    else if (event.target instanceof HTMLInputElement)
      return; // arrows are its own
    else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const items = [...(root.current?.querySelectorAll<HTMLElement>('.menu-panel :is(button,a)') ?? [])];
      const at = items.indexOf(document.activeElement as HTMLElement);
      items[(at + (event.key === 'ArrowDown' ? 1 : -1) + items.length) % items.length]?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys of the panel inside
    <div className="menu" ref={root} onKeyDown={onKeyDown}>
      <button
        type="button"
        ref={button}
        className={className}
        aria-haspopup={role}
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        title={name}
        onClick={() => {
          if (!isOpen) onOpen?.();
          setOpen(!isOpen);
        }}
      >
        {icon && <Icon name={icon} />}
        {mark && <HealthGlyph health={mark} />}
        {prefix && <span className="muted">{prefix}</span>}
        {label}
        {role === 'menu' && <Icon name="down" />}
      </button>
      {isOpen && (
        // biome-ignore lint/a11y/useAriaPropsSupportedByRole: both roles take a label
        <div className="menu-panel" id={id} role={role} aria-label={name}>
          {children(close)}
        </div>
      )}
    </div>
  );
}
