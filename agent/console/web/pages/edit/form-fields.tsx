/** The fields of a form, read from the YAML and written back to it. What the form has no field for is listed under it. @module */
import { useState } from 'react';
import type { DocumentCheck } from '../../../shapes/mesh.ts';
import { type Field, type Form, pathText, readField, unshown, type Value } from '../../editor/yaml-form.ts';
import { CheckField, SelectField, TextField } from '../../ui/field.tsx';

interface Props {
  readonly form: Form;
  readonly yaml: string;
  readonly problems: DocumentCheck['problems'];
  readonly onChange: (field: Field, value: Value) => void;
}

export function FormFields({ form, yaml, problems, onChange }: Props) {
  const others = unshown(yaml, form);
  return (
    <>
      <div className="edit-fields">
        {form.fields.map((field) => (
          <OneField
            key={field.id}
            field={field}
            value={readField(yaml, field)}
            error={problems.find((problem) => problem.field === pathText(field.path))?.message}
            onChange={(value) => onChange(field, value)}
          />
        ))}
      </div>
      {others.length > 0 && (
        <details>
          <summary>{others.length} more in the YAML, which stay as they are</summary>
          <ul>
            {others.map(({ path, value }) => (
              <li key={path}>
                <code>
                  {path}: {value}
                </code>
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

interface OneProps {
  readonly field: Field;
  readonly value: Value | undefined;
  readonly error: string | undefined;
  readonly onChange: (value: Value) => void;
}

function OneField({ field, value, error, onChange }: OneProps) {
  const { label, help } = field;
  const shared = { label, help, error };
  switch (field.input) {
    case 'check':
      return <CheckField {...shared} isChecked={value === true} onChange={(isChecked) => onChange(isChecked)} />;
    case 'choice': {
      const chosen = value === undefined ? '' : String(value);
      const options = [...new Set([chosen, ...(field.choices ?? [])])].filter(
        (one) => one !== '' || value === undefined,
      );
      return (
        <SelectField
          {...shared}
          value={chosen}
          options={options.map((one) => ({ value: one, text: one || 'default' }))}
          onChange={onChange}
        />
      );
    }
    case 'number':
      return <NumberField field={field} value={value} error={error} onChange={onChange} />;
    case 'list':
      return <ListField field={field} value={value} error={error} onChange={onChange} />;
    case 'text':
      return <TextField {...shared} isCode value={value === undefined ? '' : String(value)} onChange={onChange} />;
  }
}

/** What is typed stays as it is typed; only numbers go into the YAML. */
function NumberField({ field, value, error, onChange }: OneProps) {
  const [typed, setTyped] = useState<string>();
  const kept = value === undefined ? '' : String(value);
  const shown = typed !== undefined && (typed === '' ? kept === '' : Number(typed) === value) ? typed : kept;
  return (
    <TextField
      label={field.label}
      help={field.help}
      error={error}
      type="number"
      value={shown}
      {...(field.unit === undefined ? {} : { unit: field.unit })}
      {...(field.min === undefined ? {} : { min: field.min })}
      {...(field.max === undefined ? {} : { max: field.max })}
      onChange={(text) => {
        setTyped(text);
        onChange(text === '' ? '' : Number(text));
      }}
    />
  );
}

/** Separated by commas; a comma at the end is kept while one types. */
function ListField({ field, value, error, onChange }: OneProps) {
  const kept = Array.isArray(value) ? value.join(', ') : '';
  const [typed, setTyped] = useState(kept);
  const isSame = split(typed).join() === split(kept).join();
  return (
    <TextField
      label={field.label}
      help={`${field.help} Separated by commas.`}
      error={error}
      isCode
      value={isSame ? typed : kept}
      onChange={(text) => {
        setTyped(text);
        onChange(split(text));
      }}
    />
  );
}

function split(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
}
