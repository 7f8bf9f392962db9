/** The documents that ship beside the demo are such that an agent takes them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readResources } from '../../../agent/cli/document-files.ts';
import { KINDS } from '../../../agent/documents/kinds.ts';

const SAMPLES = join(import.meta.dirname, '..', '..', '..', 'deploy', 'sample');

test.each(readdirSync(SAMPLES).filter((name) => name.endsWith('.yaml')))('%s compiles', (name) => {
  for (const { resource } of readResources(join(SAMPLES, name))) {
    expect(KINDS.get(resource.kind)!.compile(resource)).toMatchObject({ ok: true });
  }
});
