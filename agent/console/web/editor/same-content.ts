/** What is signed is what is shown: the content that an agent gives to sign says the same as the YAML beside it. @module */
import { parse } from 'yaml';

/**
 * @param toSign base64url of canonical JSON
 * @returns the first place that differs; undefined when they say the same
 */
export function differingField(yaml: string, toSign: string): string | undefined {
  const bytes = Uint8Array.from(atob(toSign.replaceAll('-', '+').replaceAll('_', '/')), (letter) =>
    letter.charCodeAt(0),
  );
  const said: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  return differs(withoutPrinted(parse(yaml)), said, '');
}

/** The revision a file was made from and its status are printed by agents, and no part of what is signed. */
function withoutPrinted(value: unknown): unknown {
  if (!isMap(value)) return value;
  const { status: _status, ...rest } = value;
  if (!isMap(rest.metadata)) return rest;
  const { revision: _revision, ...metadata } = rest.metadata;
  return { ...rest, metadata };
}

function differs(shown: unknown, said: unknown, path: string): string | undefined {
  if (Array.isArray(shown) && Array.isArray(said)) {
    if (shown.length !== said.length) return path;
    return first(shown.map((item, i) => differs(item, said[i], `${path}[${i}]`)));
  }
  if (isMap(shown) && isMap(said)) {
    const keys = new Set([...Object.keys(shown), ...Object.keys(said)]);
    return first([...keys].map((key) => differs(shown[key], said[key], path === '' ? key : `${path}.${key}`)));
  }
  return Object.is(shown, said) ? undefined : path;
}

function first(found: readonly (string | undefined)[]): string | undefined {
  return found.find((one) => one !== undefined);
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
