/** Resources in files and directories, with every mistake named by file and line. @module */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describeKey, keyText, MAX_BODY_BYTES } from '../../gossip/documents/revision.ts';
import { checkDocument, parseYaml } from '../checked-yaml.ts';
import { KINDS } from '../documents/kinds.ts';
import { encodeResource, keyOf, type Resource, resourceSchema } from '../documents/resource.ts';
import { AgentError, messageOf } from '../errors.ts';
import { formatProblem, type Problem } from '../problem.ts';

/** A resource and where it was written. */
export interface SourcedResource {
  readonly resource: Resource;
  /** `file:line`. */
  readonly place: string;
}

const MAX_FILE_BYTES = 8 * 1024 * 1024;
const MAX_FILES = 10_000;

/**
 * All resources of a file, or of the .yaml, .yml and .json files of a directory, by name. One mistake anywhere refuses all,
 * so that half of a change is never written.
 *
 * @throws AgentError with every mistake, one a line
 */
export function readResources(path: string): readonly SourcedResource[] {
  const problems: Problem[] = [];
  const found: SourcedResource[] = [];
  const seen = new Map<string, string>();
  for (const file of filesOf(path)) {
    const documents = parseYaml(readText(file), file);
    if (!documents.ok) {
      problems.push(...documents.problems);
      continue;
    }
    for (const document of documents.value) {
      const envelope = checkDocument(resourceSchema, document);
      const schema = envelope.ok ? KINDS.get(envelope.value.kind)?.schema : undefined;
      const checked = schema === undefined ? undefined : checkDocument(schema, document);
      if (!envelope.ok || checked?.ok === false) {
        problems.push(...(envelope.ok ? [] : envelope.problems), ...(checked?.ok === false ? checked.problems : []));
        continue;
      }
      const at = document.at([]);
      const place = `${file}:${at.line}`;
      const refuse = (message: string): void => void problems.push({ file, ...at, field: '', message });
      const key = keyOf(envelope.value);
      const first = seen.get(keyText(key));
      const bytes = encodeResource(envelope.value).length;
      if (first !== undefined) refuse(`${describeKey(key)} is already in ${first}; keep one of them`);
      if (bytes > MAX_BODY_BYTES) refuse(`${bytes} bytes; a document has at most ${MAX_BODY_BYTES}: split it`);
      seen.set(keyText(key), place);
      found.push({ resource: envelope.value, place });
    }
  }
  if (problems.length > 0) {
    throw new AgentError('WEFT_AGENT_DOCUMENT_INVALID', `${problems.map(formatProblem).join('\n')}\n${path}`);
  }
  if (found.length === 0) throw new AgentError('WEFT_AGENT_DOCUMENT_INVALID', `${path} holds no document`);
  return found;
}

function filesOf(path: string): readonly string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    const names = readdirSync(path).filter((name) => /\.(ya?ml|json)$/.test(name) && !name.startsWith('.'));
    if (names.length > MAX_FILES) throw new Error(`more than ${MAX_FILES} files`);
    return names.sort().map((name) => join(path, name));
  } catch (err) {
    throw new AgentError('WEFT_AGENT_FILE_READ', `${path}: ${messageOf(err)}`, { cause: err });
  }
}

function readText(file: string): string {
  try {
    if (statSync(file).size > MAX_FILE_BYTES) throw new Error(`larger than ${MAX_FILE_BYTES} bytes`);
    return readFileSync(file, 'utf8');
  } catch (err) {
    throw new AgentError('WEFT_AGENT_FILE_READ', `${file}: ${messageOf(err)}`, { cause: err });
  }
}
