/** Buttons and links that look like them. A disabled one keeps its place and says why in its title. @module */
import type { ComponentProps, ReactNode } from 'react';
import { Link } from '../app/router.tsx';
import { Icon, type IconName } from './icon.tsx';
import { showToast } from './toast.tsx';
import './button.css';

interface Look {
  readonly kind?: 'plain' | 'primary' | 'danger' | 'quiet';
  readonly icon?: IconName;
  readonly children?: ReactNode;
}

export function Button({
  kind = 'plain',
  icon,
  children,
  className = '',
  ...rest
}: Look & Omit<ComponentProps<'button'>, 'type'> & { readonly type?: 'button' | 'submit' }) {
  return (
    <button type="button" {...rest} className={`control ${kind} ${className}`}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

export function ButtonLink({
  kind = 'plain',
  icon,
  children,
  to,
  className = '',
  ...rest
}: Look & { readonly to: string } & Omit<ComponentProps<'a'>, 'href'>) {
  return (
    <Link {...rest} to={to} className={`control ${kind} ${className}`}>
      {icon && <Icon name={icon} />}
      {children}
    </Link>
  );
}

/** A square one; `label` is its name. */
export function IconButton({
  icon,
  label,
  ...rest
}: { readonly icon: IconName; readonly label: string } & ComponentProps<'button'>) {
  return (
    <button
      title={label}
      aria-label={label}
      {...rest}
      type="button"
      className={`control square ${rest.className ?? ''}`}
    >
      <Icon name={icon} />
    </button>
  );
}

/** Copies what it says: the command that gives the same answer. */
export function CopyButton({ text, children = 'Copy' }: { readonly text: string; readonly children?: ReactNode }) {
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    showToast('Copied');
  };
  return (
    <Button icon="copy" title={text} onClick={copy}>
      {children}
    </Button>
  );
}

/** One of several, all in sight. */
export function Segmented<T extends string>({
  name,
  options,
  value,
  onChange,
}: {
  readonly name: string;
  readonly options: readonly { readonly value: T; readonly text: string }[];
  readonly value: T;
  readonly onChange: (value: T) => void;
}) {
  return (
    <fieldset className="segmented">
      <legend className="unseen">{name}</legend>
      {options.map((option) => (
        <button
          type="button"
          key={option.value}
          aria-pressed={option.value === value}
          onClick={() => onChange(option.value)}
        >
          {option.text}
        </button>
      ))}
    </fieldset>
  );
}
