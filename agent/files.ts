/** Files that others may read while we write them: whole or not at all, also after a power cut. @module */
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AgentError } from './errors.ts';

/**
 * Replaces `path` in one step: written beside it, flushed to disk, renamed over it. A reader sees the old or the new
 * content; a crash leaves the old one.
 *
 * @param options.mode permission bits of the new file; 0600 unless said otherwise
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  options: { readonly mode?: number } = {},
): Promise<void> {
  const directory = dirname(path);
  const beside = join(directory, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await using file = await open(beside, 'wx', options.mode ?? 0o600);
    await file.writeFile(content);
    await file.sync();
    await rename(beside, path);
    await using parent = await open(directory, 'r'); // the rename itself is durable once its directory is
    await parent.sync();
  } catch (err) {
    await rm(beside, { force: true });
    throw new AgentError('WEFT_AGENT_FILE_WRITE', path, { cause: err });
  }
}
