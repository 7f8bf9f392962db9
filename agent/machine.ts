/** What this machine and user decide where the configuration is silent. Apart from the schema, so that commands start fast. @module */
import { availableParallelism, homedir, hostname } from 'node:os';
import { join } from 'node:path';

/** A plain object, so that tests bring their own. */
export interface Machine {
  readonly hostname: string;
  readonly cores: number;
  /** The three directories an agent needs; root's are those of the system, anybody else's lie in their home. */
  readonly configDirectory: string;
  readonly stateDirectory: string;
  readonly runDirectory: string;
}

export function thisMachine(env: NodeJS.ProcessEnv = process.env): Machine {
  const common = { hostname: nodeNameFrom(hostname()), cores: availableParallelism() };
  if (process.getuid?.() === 0) {
    return { ...common, configDirectory: '/etc/weft', stateDirectory: '/var/lib/weft', runDirectory: '/run/weft' };
  }
  const home = homedir();
  const state = join(env.XDG_STATE_HOME ?? join(home, '.local/state'), 'weft');
  return {
    ...common,
    configDirectory: join(env.XDG_CONFIG_HOME ?? join(home, '.config'), 'weft'),
    stateDirectory: state,
    runDirectory: env.XDG_RUNTIME_DIR === undefined ? state : join(env.XDG_RUNTIME_DIR, 'weft'),
  };
}

/** The admin socket an agent of this user listens on unless told otherwise. */
export function defaultSocket(machine: Machine): string {
  return join(machine.runDirectory, 'agent.sock');
}

/** A host name as a node name: lower case, foreign characters as hyphens. */
function nodeNameFrom(host: string): string {
  const name = host
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]/g, '-')
    .slice(0, 253)
    .replaceAll(/^[.-]+|[.-]+$/g, '');
  return name === '' ? 'node' : name;
}
