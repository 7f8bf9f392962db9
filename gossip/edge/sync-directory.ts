/** Makes names in a directory last through a crash: a file is written, synced, renamed, and then its directory is synced. @module */
import { open } from 'node:fs/promises';

export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, 'r');
  await handle.sync();
}
