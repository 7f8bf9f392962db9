/** The version of this package. @module */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';

/** As package.json says it, both from sources and from a build. */
export function weftVersion(): string {
  const file = findPackageJSON(import.meta.url);
  if (file === undefined) return 'unknown';
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string };
  return version;
}
