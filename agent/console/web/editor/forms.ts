/** The guided forms: what each asks, and the document it begins with. @module */
import { accessForm } from './forms/access.ts';
import { faultForm } from './forms/fault.ts';
import { limitForm } from './forms/limit.ts';
import { mirrorForm } from './forms/mirror.ts';
import { blueGreenForm, canaryForm } from './forms/splits.ts';
import type { Form } from './yaml-form.ts';

export const FORMS: readonly Form[] = [canaryForm, blueGreenForm, mirrorForm, limitForm, accessForm, faultForm];

/** The form for a document that is there already; undefined where none fits, and the text alone is edited. */
export function formFor(kind: string, yaml: string): Form | undefined {
  if (kind !== 'HTTPRoute') return FORMS.find((form) => form.kind === kind);
  if (yaml.includes('requestMirror')) return mirrorForm;
  return yaml.includes('name: blue-green') ? blueGreenForm : canaryForm;
}
