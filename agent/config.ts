/**
 * agent.yaml: what an operator may set, its defaults and bounds, composed of the schemas of the layers. Parsed once, at
 * start; without a file the defaults below are the whole configuration. @module
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { certsConfig } from '../certs/config.ts';
import { type GossipConfig, gossipConfig } from '../gossip/config.ts';
import { type ProxyConfig, proxyConfig } from '../proxy/config.ts';
import { loopbackAddress, socketAddress } from './address-schemas.ts';
import { catalogConfig } from './catalog/config.ts';
import { checkDocument, type Parsed, parseYaml } from './checked-yaml.ts';
import { consoleConfig, withPaths } from './console/config.ts';
import { AgentError, messageOf } from './errors.ts';
import { historyConfig } from './history/config.ts';
import { LOG_LEVELS } from './log.ts';
import { defaultSocket, type Machine, thisMachine } from './machine.ts';
import { formatProblem, type Problem } from './problem.ts';
import { telemetryConfig } from './telemetry/config.ts';

/** DNS label (RFC 1123), dots allowed: it becomes the last segment of `spiffe://TD/node/NAME`. */
const nodeName = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'use lower-case letters, digits, - and . only, such as node-7');

const path = z.string().min(1);

export const agentConfig = z.strictObject({
  nodeName: nodeName
    .optional()
    .describe(
      'Name of this node in the mesh. Default: the host name. With a node bundle it must be the name in its certificate.',
    ),
  zone: z
    .string()
    .max(63)
    .default('')
    .describe(
      'Failure domain of this node, such as eu-1a. Callers will prefer endpoints of their own zone. Empty: none.',
    ),
  dataDirectory: path
    .optional()
    .describe('State that survives a restart. Default: /var/lib/weft for root, ~/.local/state/weft for others.'),
  workloadsDirectory: path
    .optional()
    .describe(
      'Where *.yaml files of kind Workload are read and watched. Default: /etc/weft/workloads.d for root, ~/.config/weft/workloads.d for others.',
    ),
  workers: z
    .int()
    .min(1)
    .max(256)
    .optional()
    .describe(
      'Data-plane threads. Default: one per core. Fewer leaves cores to the applications, for less throughput; more than cores gains nothing.',
    ),
  capture: z
    .strictObject({
      mode: z
        .enum(['namespace', 'none'])
        .default('namespace')
        .describe(
          'namespace: redirect traffic inside the network namespace of each workload (needs root). none: no redirection; programs use the upstreams listeners of their Workload.',
        ),
    })
    .prefault({})
    .describe('How traffic of workloads reaches the agent.'),
  admin: z
    .strictObject({
      socket: path
        .max(100, 'longer than 100 characters, more than the system takes for a socket')
        .optional()
        .describe(
          'Unix socket of the admin API, mode 0600. Default: /run/weft/agent.sock for root, $XDG_RUNTIME_DIR/weft/agent.sock for others.',
        ),
      listen: loopbackAddress
        .default('127.0.0.1:15000')
        .describe(
          'Loopback address of the admin API and console. Any user of this machine can read it. Port 0 picks a free one.',
        ),
    })
    .prefault({})
    .describe('Where weft status and the other commands reach this agent.'),
  console: consoleConfig.prefault({}).describe('The web console: who may look, and from where.'),
  workloadApi: z
    .strictObject({
      socket: path
        .max(100, 'longer than 100 characters, more than the system takes for a socket')
        .optional()
        .describe(
          'Unix socket of the SPIFFE Workload API, open to every program of this node that reaches it; each gets its own identity only. Mount its directory into pods. Default: none, which saves some MB.',
        ),
    })
    .prefault({})
    .describe('Where programs that speak SPIFFE get their SVID.'),
  upgrade: z
    .strictObject({
      drainMs: z
        .int()
        .min(1_000)
        .max(86_400_000)
        .default(60_000)
        .describe(
          'How long open connections may go on after another agent has taken over (weft agent --take-over); then they are cut. Longer keeps two agents in memory for longer.',
        ),
    })
    .prefault({})
    .describe('What an agent does that hands over to its successor.'),
  metrics: z
    .strictObject({
      listen: socketAddress
        .default('127.0.0.1:15020')
        .describe(
          'Address of /metrics, /healthz and /readyz. Use 0.0.0.0:15020 when Prometheus scrapes from another machine.',
        ),
    })
    .prefault({})
    .describe('Metrics and probes.'),
  catalog: catalogConfig.prefault({}).describe('What is known of services.'),
  log: z
    .strictObject({
      level: z
        .enum(LOG_LEVELS)
        .default('info')
        .describe('Least severe line that is written. debug adds a line per connection and costs throughput.'),
    })
    .prefault({})
    .describe('Structured logs on standard output.'),
  certs: certsConfig
    .safeExtend({
      join: z
        .strictObject({
          listen: z
            .union([z.literal(''), socketAddress])
            .default('0.0.0.0:15012')
            .describe(
              'On issuers: where joiners show their token, and nodes an expired certificate. Empty: nowhere; nodes then renew over gossip only.',
            ),
        })
        .prefault({})
        .describe('The join listener.'),
    })
    .prefault({})
    .describe('Identities.'),
  gossip: gossipConfig
    .safeExtend({
      dataDirectory: z
        .string()
        .default('')
        .describe('Where gossip keeps its state. Default: dataDirectory of the agent.'),
    })
    .prefault({})
    .describe('How nodes find and watch each other.'),
  proxy: proxyConfig.omit({ node: true, zone: true, telemetry: true }).prefault({}).describe('The data plane.'),
  telemetry: telemetryConfig.prefault({}).describe('What is told of requests: access logs, traces, taps.'),
  history: historyConfig.prefault({}),
});

type Written = z.output<typeof agentConfig>;

/** The configuration with everything the machine decides filled in. Plain data: it is handed to threads as it is. */
export interface AgentConfig extends Written {
  readonly gossip: GossipConfig;
  readonly proxy: ProxyConfig;
  readonly nodeName: string;
  /** Whether the file named the node; otherwise a node bundle's certificate may overrule the host name. */
  readonly nodeNameGiven: boolean;
  readonly dataDirectory: string;
  readonly workloadsDirectory: string;
  readonly workers: number;
  readonly admin: { readonly socket: string; readonly listen: string };
  /** The file it was read from; undefined for embedded defaults. */
  readonly file: string | undefined;
}

/** A configuration file is a page or two; more than this is the wrong file. */
const MAX_CONFIG_BYTES = 1024 * 1024;

/**
 * Reads and checks a configuration file. Relative paths in it are relative to the directory of the file.
 *
 * @param file undefined for the embedded defaults
 * @throws AgentError whose message lists every mistake with file, line, column, field and fix
 */
export function loadConfig(file: string | undefined, machine: Machine = thisMachine()): AgentConfig {
  if (file === undefined) return complete(agentConfig.parse({}), { file, machine });
  const parsed = parseConfig(readConfig(file), file);
  if (parsed.ok) return complete(parsed.value, { file, machine });
  throw new AgentError('WEFT_AGENT_CONFIG_INVALID', [...parsed.problems.map(formatProblem), file].join('\n'));
}

/** Checks the text of a configuration file. An empty file is a valid one: all defaults. */
export function parseConfig(text: string, file: string): Parsed<Written> {
  const documents = parseYaml(text, file);
  if (!documents.ok) return documents;
  const [first, second] = documents.value;
  if (second !== undefined) {
    const problem: Problem = {
      file,
      ...second.at([]),
      field: '',
      message: 'a second YAML document; keep all settings in one, without ---',
    };
    return { ok: false, problems: [problem] };
  }
  return first === undefined ? { ok: true, value: agentConfig.parse({}) } : checkDocument(agentConfig, first);
}

function complete(written: Written, options: { file: string | undefined; machine: Machine }): AgentConfig {
  const { file, machine } = options;
  const base = file === undefined ? process.cwd() : dirname(resolve(file));
  const nodeName = written.nodeName ?? machine.hostname;
  const at = (given: string | undefined, otherwise: string) => (given === undefined ? otherwise : resolve(base, given));
  const apiSocket = written.workloadApi.socket;
  const issuers = written.certs.issuerDirectory;
  const dataDirectory = at(written.dataDirectory, machine.stateDirectory);
  return {
    ...written,
    nodeName,
    nodeNameGiven: written.nodeName !== undefined,
    dataDirectory,
    workloadsDirectory: at(written.workloadsDirectory, join(machine.configDirectory, 'workloads.d')),
    workers: written.workers ?? machine.cores,
    admin: { ...written.admin, socket: at(written.admin.socket, defaultSocket(machine)) },
    console: withPaths(written.console, (file) => resolve(base, file)),
    workloadApi: apiSocket === undefined ? {} : { socket: resolve(base, apiSocket) },
    certs: {
      ...written.certs,
      bundleDirectory: resolve(base, written.certs.bundleDirectory),
      ...(issuers === undefined ? {} : { issuerDirectory: resolve(base, issuers) }),
      foreignIssuers: written.certs.foreignIssuers.map((one) => ({
        ...one,
        certificate: resolve(base, one.certificate),
      })),
    },
    gossip: { ...written.gossip, dataDirectory: at(written.gossip.dataDirectory || undefined, dataDirectory) },
    proxy: { ...written.proxy, node: nodeName, zone: written.zone, telemetry: written.telemetry },
    history: {
      ...written.history,
      ...(written.history.directory === undefined ? {} : { directory: resolve(base, written.history.directory) }),
    },
    file,
  };
}

function readConfig(file: string): string {
  try {
    if (statSync(file).size > MAX_CONFIG_BYTES) throw new Error(`larger than ${MAX_CONFIG_BYTES} bytes`);
    return readFileSync(file, 'utf8');
  } catch (err) {
    throw new AgentError('WEFT_AGENT_CONFIG_UNREADABLE', `${file}: ${messageOf(err)}`, { cause: err });
  }
}
