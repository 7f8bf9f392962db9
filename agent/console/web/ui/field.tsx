/** A field of a form: name, unit, what more and less of it costs, and what is wrong with it. @module */
import { type ReactNode, useId } from 'react';
import './field.css';

interface Shared {
  readonly label: string;
  readonly help?: ReactNode;
  readonly error?: string | undefined;
  readonly isDisabled?: boolean;
}

interface TextProps extends Shared {
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly unit?: string;
  /** Shown where it is empty: `default 5 s`. */
  readonly placeholder?: string;
  readonly type?: 'text' | 'number' | 'search' | 'password';
  readonly min?: number;
  readonly max?: number;
  readonly step?: number;
  /** Names to choose from; others may be typed. */
  readonly suggestions?: readonly string[];
  readonly isCode?: boolean;
}

export function TextField(props: TextProps) {
  const { value, onChange, unit, placeholder, type = 'text', min, max, step, suggestions } = props;
  const id = useId();
  return (
    <Frame id={id} {...props}>
      <span className="field-input">
        <input
          id={id}
          type={type}
          value={value}
          placeholder={placeholder}
          min={min}
          max={max}
          step={step}
          className={props.isCode ? 'code-text' : undefined}
          list={suggestions === undefined ? undefined : `${id}-list`}
          disabled={props.isDisabled}
          onChange={(event) => onChange(event.target.value)}
          {...described(id, props)}
        />
        {unit && <span className="muted">{unit}</span>}
      </span>
      {suggestions && (
        <datalist id={`${id}-list`}>
          {suggestions.map((suggestion) => (
            <option key={suggestion} value={suggestion} />
          ))}
        </datalist>
      )}
    </Frame>
  );
}

interface SelectProps extends Shared {
  readonly value: string;
  readonly options: readonly { readonly value: string; readonly text: string }[];
  readonly onChange: (value: string) => void;
}

export function SelectField(props: SelectProps) {
  const id = useId();
  return (
    <Frame id={id} {...props}>
      <select
        id={id}
        value={props.value}
        disabled={props.isDisabled}
        onChange={(event) => props.onChange(event.target.value)}
        {...described(id, props)}
      >
        {props.options.map(({ value, text }) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </Frame>
  );
}

interface CheckProps extends Shared {
  readonly isChecked: boolean;
  readonly onChange: (isChecked: boolean) => void;
}

export function CheckField(props: CheckProps) {
  const id = useId();
  return (
    <div className="field">
      <label className="field-check" htmlFor={id}>
        <input
          id={id}
          type="checkbox"
          checked={props.isChecked}
          disabled={props.isDisabled}
          onChange={(event) => props.onChange(event.target.checked)}
          {...described(id, props)}
        />
        {props.label}
      </label>
      <Notes id={id} {...props} />
    </div>
  );
}

function Frame({ id, children, ...props }: Shared & { readonly id: string; readonly children: ReactNode }) {
  return (
    <div className="field">
      <label htmlFor={id}>{props.label}</label>
      {children}
      <Notes id={id} {...props} />
    </div>
  );
}

function Notes({ id, help, error }: Shared & { readonly id: string }) {
  return (
    <>
      {help && (
        <p className="field-help" id={`${id}-help`}>
          {help}
        </p>
      )}
      {error && (
        <p className="field-error" id={`${id}-error`}>
          {error}
        </p>
      )}
    </>
  );
}

function described(id: string, { help, error }: Shared) {
  const ids = [help ? `${id}-help` : '', error ? `${id}-error` : ''].filter(Boolean).join(' ');
  return { 'aria-describedby': ids || undefined, 'aria-invalid': error ? true : undefined };
}
