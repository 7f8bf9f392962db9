/** The manifests of the Gateway API's mesh conformance suite, beside the repository; absent, tests that need them are skipped. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readResources } from '../../../agent/cli/document-files.ts';
import { KINDS } from '../../../agent/documents/kinds.ts';
import type { Resource } from '../../../agent/documents/resource.ts';

const beside = join(import.meta.dirname, '../../../../shared/conformance/gateway-api');
const directory = [process.env.WEFT_CONFORMANCE_DATA, beside].find((path) => path !== undefined && existsSync(path));

export const CONFORMANCE = directory;
if (directory === undefined) {
  console.log(
    'skipped: conformance data not found (set WEFT_CONFORMANCE_DATA or check out the data beside the repository)',
  );
}

export function conformanceTests(): readonly string[] {
  return directory === undefined ? [] : readdirSync(join(directory, 'manifests/tests/mesh'));
}

export function manifests(path: string): readonly Resource[] {
  return readResources(join(directory!, 'manifests', path)).map(({ resource }) => resource);
}

/** What a document compiles to; what it refuses is a failure. */
export function compiled<T>(resource: Resource | object): T {
  const { kind } = resource as Resource;
  const result = KINDS.get(kind)!.compile(resource as Resource);
  if (!result.ok) throw new Error(result.problem);
  return result.value as T;
}

export function problemOf(resource: object): string {
  const result = KINDS.get((resource as Resource).kind)!.compile(resource as Resource);
  return result.ok ? '' : result.problem;
}
