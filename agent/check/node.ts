/** What this node must have: ports, a place for its state, workload files that parse. @module */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants, existsSync } from 'node:fs';
import { access, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { parseHostPort } from '../../gossip/edge/address.ts';
import { messageOf, systemCode } from '../errors.ts';
import { formatProblem, type Problem } from '../problem.ts';
import { WorkloadDirectory } from '../workloads/directory.ts';
import { type CheckResult, fail, ok, warn } from './report.ts';

/** Whether the ports of the configuration can be opened. Only for an agent that does not run: its own would be in use. */
export async function checkPorts(
  ports: readonly { readonly setting: string; readonly listen: string }[],
): Promise<CheckResult> {
  const refused: string[] = [];
  for (const { setting, listen } of ports) {
    const code = await bindFailure(listen);
    if (code === 'EADDRINUSE') refused.push(`${setting} ${listen} is in use`);
    else if (code !== undefined) refused.push(`${setting} ${listen} can not be opened (${code})`);
  }
  if (refused.length === 0) return ok('ports', ports.map(({ listen }) => listen).join(', '));
  return fail(
    'ports',
    refused.join('; '),
    'ss -ltnp shows who listens; stop it, or choose another address in agent.yaml',
  );
}

async function bindFailure(listen: string): Promise<string | undefined> {
  const where = parseHostPort(listen);
  if (where === undefined) return 'not host:port';
  const server = createServer();
  try {
    server.listen({ ...where, exclusive: true });
    await once(server, 'listening');
    return undefined;
  } catch (err) {
    return systemCode(err) ?? messageOf(err);
  } finally {
    server.close();
  }
}

const MIN_FREE_BYTES = 64 * 1024 * 1024;

export async function checkDataDirectory(directory: string): Promise<CheckResult> {
  const name = 'data directory';
  const fix = `make it and give it to the user of the agent: install -d -m 0700 ${directory}`;
  try {
    const existing = await nearestExisting(directory);
    if (existing === directory) {
      const trial = join(directory, `.check-${randomBytes(6).toString('hex')}`);
      await writeFile(trial, 'a test of whether this disk takes data', { flag: 'wx' });
      await rm(trial);
    } else {
      await access(existing, constants.W_OK | constants.X_OK);
    }
    const { bavail, bsize } = await statfs(existing);
    const freeMib = Math.floor((bavail * bsize) / (1024 * 1024));
    if (bavail * bsize < MIN_FREE_BYTES) return warn(name, `${directory} has ${freeMib} MiB free`, 'free some space');
    return ok(name, existing === directory ? directory : `${directory} (made at the first start)`);
  } catch (err) {
    return fail(name, messageOf(err), fix);
  }
}

async function nearestExisting(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    try {
      await access(at);
      return at;
    } catch (err) {
      if (systemCode(err) !== 'ENOENT' || at === dirname(at)) throw err;
    }
  }
}

/** How many problems are shown; `weft status` and the log have the rest. */
const SHOWN_PROBLEMS = 5;

export function checkProblems(problems: readonly Problem[], workloads: number): CheckResult {
  const name = 'workload files';
  if (problems.length === 0) return ok(name, `${workloads} workloads`);
  const shown = problems.slice(0, SHOWN_PROBLEMS).map(formatProblem);
  if (problems.length > SHOWN_PROBLEMS) shown.push(`and ${problems.length - SHOWN_PROBLEMS} more`);
  return fail(name, shown.join('\n'), 'correct the lines named above; until then what the files said before holds');
}

/** Who writes there decides who a process is. */
export async function checkWorkloadsDirectory(directory: string): Promise<CheckResult> {
  const name = 'workloads directory';
  try {
    const { mode } = await stat(directory);
    if ((mode & 0o002) === 0) return ok(name, directory);
    const detail = `any user of this machine may write ${directory}, and so claim identities this node is granted`;
    return fail(name, detail, `chmod o-w ${directory}`);
  } catch (err) {
    const fix = `make it and put workload files there: install -d ${directory}`;
    if (systemCode(err) === 'ENOENT') return warn(name, `${directory} does not exist`, fix);
    return fail(name, messageOf(err), 'let the user of the agent read it');
  }
}

/** For an agent that does not run: reads the files as it would. */
export async function checkWorkloadFiles(directory: string, isCapturing: boolean): Promise<CheckResult> {
  if (!existsSync(directory)) return ok('workload files', 'none');
  const log = pino({ level: 'silent' });
  await using files = await WorkloadDirectory.start(
    { directory, isCapturing, log, changed: () => {} },
    new AbortController().signal,
  );
  return checkProblems(files.problems(), files.workloads().length);
}
