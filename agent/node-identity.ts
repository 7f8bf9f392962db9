/** Which node this is: the bundle an operator installed, or, without any configuration, a trust domain of its own. @module */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { issueNodeBundle, loadNodeBundle, type NodeIdentity, nodeBundleFiles } from '../certs/node-bundle.ts';
import { createTrustDomain } from '../certs/trust-domain.ts';
import type { AgentConfig } from './config.ts';
import { AgentError } from './errors.ts';

/** The trust domain of a mesh of one node that nobody configured. */
const OWN_TRUST_DOMAIN = 'weft.local';

/**
 * The configuration as it holds for this node: with the directory of the bundle in use, and the name in it.
 *
 * @throws CertsError when there is a bundle that will not do; AgentError when it is another node's
 */
export function withNodeIdentity(config: AgentConfig, log: Logger): { config: AgentConfig; node: NodeIdentity } {
  const own = hasBundle(config) ? {} : ownBundle(config, log);
  const { bundleDirectory } = { ...config.certs, ...own };
  const node = loadNodeBundle(bundleDirectory);
  if (config.nodeNameGiven && config.nodeName !== node.name) {
    throw new AgentError('WEFT_AGENT_NODE_NAME', `nodeName ${config.nodeName}, bundle of ${node.name}`);
  }
  const certs = { ...config.certs, ...own };
  const proxy = { ...config.proxy, node: node.name };
  return { config: { ...config, nodeName: node.name, certs, proxy }, node };
}

/** A configuration file means a mesh of many: a missing bundle is then a mistake to report, not a wish for a new mesh. */
function hasBundle({ file, certs }: AgentConfig): boolean {
  return file !== undefined || existsSync(nodeBundleFiles(certs.bundleDirectory).certificates);
}

/** This node is its own issuer, and lets nobody else join. */
function ownBundle({ dataDirectory, nodeName }: AgentConfig, log: Logger): Partial<AgentConfig['certs']> {
  const trustDirectory = join(dataDirectory, 'own-trust');
  const directory = join(dataDirectory, 'own-node');
  if (!existsSync(trustDirectory)) {
    mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
    createTrustDomain({ trustDomain: OWN_TRUST_DOMAIN, directory: trustDirectory });
    log.info(
      { trustDomain: OWN_TRUST_DOMAIN, trustDirectory },
      'no node bundle and no configuration: made a trust domain of one node',
    );
  }
  issueNodeBundle({ trustDirectory, name: nodeName, grant: ['*'], directory });
  return { bundleDirectory: directory, issuerDirectory: trustDirectory, join: { listen: '' } };
}
