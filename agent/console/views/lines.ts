/** Where in its YAML a field of a document is. Pure. @module */

/** @returns 1-based; null where it has no such field at the top */
export function documentLine(yaml: string, field: string): number | null {
  const at = yaml.split('\n').findIndex((text) => text.startsWith(`${field}:`));
  return at < 0 ? null : at + 1;
}
