/** Temporary folders that tell whose they are, so that those of a run that was killed can be removed. @module */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new temporary folder, named so that removeOrphanedFolders() can tell whose it is. */
export function makeFolder(prefix: string, parent: string = tmpdir()): string {
  return mkdtempSync(join(parent, `${prefix}-${process.pid}-`));
}

/** Removes folders that makeFolder() made for processes that no longer run. */
export function removeOrphanedFolders(prefix: string, parent: string = tmpdir()): void {
  for (const name of readdirSync(parent)) {
    const [, pid] = name.startsWith(`${prefix}-`) ? (/^-(\d+)-/.exec(name.slice(prefix.length)) ?? []) : [];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(parent, name), { recursive: true, force: true });
  }
}
