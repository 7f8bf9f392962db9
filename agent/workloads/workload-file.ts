/** One file of workloads.d/: its documents as workloads, or every mistake in it. @module */
import { checkDocument, type Parsed, parseYaml } from '../checked-yaml.ts';
import type { Problem } from '../problem.ts';
import { workloadSchema } from './schema.ts';
import type { Workload } from './workload.ts';

/** A workload and where it was written. */
export interface SourcedWorkload {
  readonly workload: Workload;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * Reads a whole file: one mistake refuses all of it, so that half an edit is never applied.
 *
 * A file without a document is a mistake too: it is what a reader finds while an editor rewrites the file in place. To
 * remove workloads, delete the file or the document.
 */
export function parseWorkloadFile(text: string, file: string): Parsed<readonly SourcedWorkload[]> {
  const documents = parseYaml(text, file);
  if (!documents.ok) return documents;
  const workloads: SourcedWorkload[] = [];
  const problems: Problem[] = [];
  for (const document of documents.value) {
    const checked = checkDocument(workloadSchema, document);
    if (checked.ok) workloads.push({ workload: checked.value, file, ...document.at([]) });
    else problems.push(...checked.problems);
  }
  if (documents.value.length === 0) {
    const message = 'holds no workload; write one, or delete the file to remove what it said before';
    problems.push({ file, line: 1, column: 1, field: '', message });
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: workloads };
}
