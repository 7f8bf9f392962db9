/** `npm run build`: what users install, in dist/: compiled sources, and beside them the files they read. */
import { spawnSync } from 'node:child_process';
import { cpSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { buildConsole } from './console.ts';

const root = join(import.meta.dirname, '..');
/** Read at run time by the module in the same folder. */
const ASSETS = ['simulations/scenarios/*.yaml', 'deploy/sample/*.yaml'];

const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
for (const file of globSync(ASSETS, { cwd: root })) cpSync(join(root, file), join(root, 'dist', file));
await buildConsole();
process.exitCode = status ?? 1;
