/** Whether a lab can be built here, asked before anything is touched. @module */
import { isInstalled, Processes } from './processes.ts';

const TOOLS = ['ip', 'nft', 'nsenter', 'unshare', 'setpriv', 'sh'];

/** Why a lab cannot be built on this machine by this user, as a sentence; undefined when it can. */
export async function labObstacle(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `network namespaces are a feature of Linux, and this is ${process.platform}`;
  if (process.geteuid?.() !== 0) return 'network namespaces need root, and this is an ordinary user';
  const missing = TOOLS.filter((tool) => !isInstalled(tool));
  if (missing.length > 0) return `not installed: ${missing.join(', ')} (Debian: iproute2, nftables, util-linux)`;
  await using processes = new Processes();
  const trial = await processes.exec(undefined, ['unshare', '-n', 'nft', 'list', 'ruleset']);
  if (trial.code !== 0) return `the kernel or container refuses namespaces or nftables: ${trial.stderr.trim()}`;
  return undefined;
}
