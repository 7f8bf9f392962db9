import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { accessForm } from '../../../../agent/console/web/editor/forms/access.ts';
import { limitForm } from '../../../../agent/console/web/editor/forms/limit.ts';
import { blueGreenForm, canaryForm } from '../../../../agent/console/web/editor/forms/splits.ts';
import { FORMS, formFor } from '../../../../agent/console/web/editor/forms.ts';
import {
  type Field,
  type Form,
  lineOf,
  readField,
  unshown,
  writeField,
  yamlProblem,
} from '../../../../agent/console/web/editor/yaml-form.ts';
import { KINDS } from '../../../../agent/documents/kinds.ts';

const SAMPLE = readFileSync('deploy/sample/canary.yaml', 'utf8');

test('the canary form reads what the sample says', () => {
  expect(read(canaryForm, SAMPLE)).toMatchObject({ service: 'catalog', from: 'v1', to: 'v2', share: 10, port: 8080 });
});

test('a share written by the form changes both weights and nothing else', () => {
  const changed = writeField(SAMPLE, field(canaryForm, 'share'), 25);
  const [before, after] = [SAMPLE.split('\n'), changed.split('\n')];
  expect(after.filter((line, i) => line !== before[i])).toEqual([
    '        - { name: catalog, port: 8080, subset: v1, weight: 75 }',
    '        - { name: catalog, port: 8080, subset: v2, weight: 25 }',
  ]);
  expect(after).toHaveLength(before.length);
});

test('comments and fields that no form knows stay where they were', () => {
  const text = 'kind: RateLimit\nspec:\n  future: [1, 2] # kept\n  requestsPerSecond: 5 # low on purpose\n';
  const changed = writeField(text, field(limitForm, 'rate'), 7);
  expect(changed).toBe(text.replace('5 #', '7 #'));
  expect(unshown(changed, limitForm)).toEqual([
    { path: 'spec.future[0]', value: '1' },
    { path: 'spec.future[1]', value: '2' },
  ]);
});

test('an emptied field is taken out with the maps it leaves empty', () => {
  const text = accessForm.template({ namespace: 'shop', name: 'web' });
  const withMethods = writeField(text, field(accessForm, 'methods'), ['GET', 'HEAD']);
  expect(parse(withMethods).spec.rules[0].to).toEqual([{ methods: ['GET', 'HEAD'] }]);
  expect(parse(writeField(withMethods, field(accessForm, 'methods'), []))).toEqual(parse(text));
});

test('text that is no YAML is left alone and said to be none, with its line', () => {
  const text = 'kind: RateLimit\nspec: [1\n';
  expect(writeField(text, field(limitForm, 'rate'), 7)).toBe(text);
  expect(yamlProblem(text)?.line).toBeGreaterThan(1);
  expect(yamlProblem(SAMPLE)).toBeUndefined();
});

test('all requests go to another version, and the rest of the document stays', () => {
  const text = blueGreenForm.template({ namespace: 'shop', name: 'catalog' });
  const after = writeField(text, field(blueGreenForm, 'version'), 'v2');
  expect(after).toBe(text.replace('subset: v1', 'subset: v2'));
  expect(read(blueGreenForm, after)).toMatchObject({ service: 'catalog', port: 8080, version: 'v2' });
});

test('a path is found at its line', () => {
  expect(lineOf(SAMPLE, ['spec', 'rules', 0, 'name'])).toBe(SAMPLE.split('\n').indexOf('    - name: canary') + 1);
});

test.each(FORMS.map((form) => [form.id, form] as const))(
  'what the form %s begins with is a valid document',
  (_id, form) => {
    const text = form.template({ namespace: 'shop', name: 'catalog' });
    const kind = KINDS.get(form.kind)!;
    expect(kind.compile(parse(text))).toMatchObject({ ok: true });
    expect(formFor(form.kind, text)).toBe(form);
    expect(unshown(text, form)).toEqual([]);
    for (const one of form.fields) {
      const value = readField(text, one);
      if (value !== undefined) expect(parse(writeField(text, one, value)), one.id).toEqual(parse(text));
    }
  },
);

function field(form: Form, id: string): Field {
  return form.fields.find((one) => one.id === id)!;
}

function read(form: Form, text: string) {
  return Object.fromEntries(form.fields.map((one) => [one.id, readField(text, one)]));
}
