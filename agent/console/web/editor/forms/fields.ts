/** Fields that several forms have. @module */
import type { Field, Path, Value } from '../yaml-form.ts';

export const name: Field = {
  id: 'name',
  label: 'Name',
  input: 'text',
  help: 'Unique among documents of this kind in its namespace.',
  path: ['metadata', 'name'],
};

export const namespace: Field = {
  id: 'namespace',
  label: 'Namespace',
  input: 'text',
  help: 'Whose services it is about.',
  path: ['metadata', 'namespace'],
};

export const targetServices: Field = {
  id: 'services',
  label: 'Services',
  input: 'list',
  help: 'Calls to these. Left out: to all services of the namespace.',
  path: ['spec', 'target', 'services'],
};

type Named = Pick<Field, 'id' | 'label' | 'help' | 'path'>;

export function text(field: Named): Field {
  return { ...field, input: 'text' };
}

export function list(field: Named): Field {
  return { ...field, input: 'list' };
}

export function check(field: Named): Field {
  return { ...field, input: 'check' };
}

export function percent(field: Named & Pick<Field, 'covers' | 'write'>): Field {
  return { ...field, input: 'number', unit: '%', min: 0, max: 100 };
}

/** One port that is written in each of these places. */
export function port(help: string, path: Path, ...others: readonly Path[]): Field {
  const places = [path, ...others];
  const write = (value: Value) => places.map((place) => [place, Number(value)] as const);
  return { id: 'port', label: 'Port', input: 'number', min: 1, max: 65_535, help, path, covers: others, write };
}

/** One service whose name is written in the first place and in each of the others. */
export function service(help: string, path: Path, others: readonly Path[], covers: readonly Path[] = []): Field {
  const write = (value: Value) => [path, ...others].map((place) => [place, value] as const);
  return { id: 'service', label: 'Service', input: 'text', help, path, covers: [...others, ...covers], write };
}
