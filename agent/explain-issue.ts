/** What zod found wrong, in words for the person who wrote the file. @module */
import type { z } from 'zod';
import { nearest } from './nearest.ts';

/** One mistake: where, and what to say. */
export interface Explanation {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/**
 * Turns one zod issue into words that name the value, what is allowed and the fix.
 *
 * @param textAt the text as written at a path, such as `1.10` for a value that YAML reads as the number 1.1
 */
export function explainIssue(
  schema: z.core.$ZodType,
  issue: z.core.$ZodIssue,
  textAt: (path: readonly PropertyKey[]) => string | undefined,
): Explanation[] {
  const { path } = issue;
  const orDefault = defaultHint(schema, path);
  const found = show(textAt(path) ?? issue.input);
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = knownKeys(schemaAt(schema, path));
      return issue.keys.map((key) => {
        const guess = nearest(key, known);
        const fix =
          guess === undefined
            ? `known here: ${known.join(', ')}`
            : `did you mean ${guess}? Known here: ${known.join(', ')}`;
        return { path: [...path, key], message: `unknown field; ${fix}` };
      });
    }
    case 'invalid_type':
      if (issue.input === undefined)
        return [{ path, message: `missing; it must be ${article(issue.expected)}${orDefault}` }];
      if (issue.expected === 'string' && ['number', 'boolean'].includes(typeof issue.input)) {
        return [
          {
            path,
            message: `${found} is read as a ${typeof issue.input} where text is meant; write "${textAt(path) ?? issue.input}" in quotes`,
          },
        ];
      }
      return [
        {
          path,
          message: `${found} is not ${article(issue.expected)}; set it to ${article(issue.expected)}${orDefault}`,
        },
      ];
    case 'too_small':
    case 'too_big':
      return [{ path, message: `${limitMessage(issue, found)}${orDefault}` }];
    case 'invalid_value':
      return [
        {
          path,
          message: `${issue.input === undefined ? 'missing' : `${found} is not known`}; ${choices(issue)}${orDefault}`,
        },
      ];
    case 'invalid_format':
      return [{ path, message: `${found}: ${issue.message}${orDefault}` }];
    case 'invalid_key':
      return [{ path, message: `the name ${show(path.at(-1))}: ${issue.issues[0]?.message ?? issue.message}` }];
    case 'invalid_union': {
      const reasons = new Set(issue.errors.flatMap((errors) => errors.map((inner) => inner.message)));
      return [{ path, message: `${found} fits none of the allowed forms: ${[...reasons].join('; or ')}${orDefault}` }];
    }
    default:
      return [custom(schema, issue)];
  }
}

/** A refinement brings its own sentence; one about several fields opens with the name of the field to change. */
function custom(schema: z.core.$ZodType, { path, message }: z.core.$ZodIssue): Explanation {
  const [, field, sentence] = /^(\w+): (.*)$/s.exec(message) ?? [];
  if (field === undefined || sentence === undefined || !knownKeys(schemaAt(schema, path)).includes(field)) {
    return { path, message };
  }
  return { path: [...path, field], message: sentence };
}

function limitMessage(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig, found: string): string {
  const small = issue.code === 'too_small';
  const limit = small ? issue.minimum : issue.maximum;
  const bound = `${limit} or ${small ? 'more' : 'less'}`;
  if (issue.origin === 'string') {
    return small && limit === 1
      ? 'is empty; write a value'
      : `${found} is too ${small ? 'short' : 'long'}; allowed: ${bound} characters`;
  }
  if (issue.origin === 'array') {
    return small ? `has too few items; list ${bound}` : `has too many items; list ${bound}`;
  }
  return `${found} is too ${small ? 'small' : 'large'}; set it to ${bound}`;
}

function choices(issue: z.core.$ZodIssueInvalidValue): string {
  const allowed = issue.values.map(String);
  if (allowed.length === 1) return `write ${allowed[0]}`;
  const guess = typeof issue.input === 'string' ? nearest(issue.input, allowed) : undefined;
  return `${guess === undefined ? '' : `did you mean ${guess}? `}Allowed: ${allowed.join(', ')}`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list (lines that start with -)',
  object: 'a group of fields (name: value)',
  record: 'a group of fields (name: value)',
};

function article(type: string): string {
  return TYPE_NAMES[type] ?? type;
}

function show(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** The schema that a value at `path` is checked against; undefined where the path leaves the schema. */
function schemaAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): z.core.$ZodType | undefined {
  let current: z.core.$ZodType | undefined = unwrap(schema);
  for (const key of path) {
    if (current === undefined) return undefined;
    const def: z.core.$ZodTypes['_zod']['def'] = (current as z.core.$ZodTypes)._zod.def;
    let next: z.core.$ZodType | undefined;
    if (def.type === 'object') next = def.shape[String(key)];
    else if (def.type === 'array') next = def.element;
    else if (def.type === 'record') next = def.valueType;
    if (next === undefined) return undefined;
    current = key === path.at(-1) ? next : unwrap(next);
  }
  return current;
}

/** Looks through optional, default and the like to the schema that holds fields. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if ('innerType' in def) return unwrap(def.innerType);
  return def.type === 'pipe' ? unwrap(def.in) : schema;
}

function knownKeys(schema: z.core.$ZodType | undefined): readonly string[] {
  if (schema === undefined) return [];
  const { def } = (unwrap(schema) as z.core.$ZodTypes)._zod;
  return def.type === 'object' ? Object.keys(def.shape) : [];
}

function defaultHint(schema: z.core.$ZodType, path: readonly PropertyKey[]): string {
  const at = path.length === 0 ? undefined : schemaAt(schema, path);
  if (at === undefined) return '';
  const { def } = (at as z.core.$ZodTypes)._zod;
  if (def.type !== 'default') return '';
  return `, or leave it out for the default ${show(def.defaultValue)}`;
}
