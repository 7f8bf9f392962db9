/** `npm run reference`: writes the reference pages that are generated from the sources. A test says when they are stale. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { metricsReference } from '../agent/admin/metrics-reference.ts';
import { KINDS } from '../agent/documents/kinds.ts';
import { kindsReference } from '../agent/documents/reference.ts';

const directory = join(import.meta.dirname, '..', 'docs', 'reference');
mkdirSync(directory, { recursive: true });
writeFileSync(join(directory, 'kinds.md'), kindsReference(KINDS.values()));
writeFileSync(join(directory, 'metrics.md'), await metricsReference());
