/** A gossip node in a process of its own, to be killed: reads its options from argv, says its address on stdout. */
import { pino } from 'pino';
import { loadNodeBundle } from '../../../certs/node-bundle.ts';
import { gossipConfig } from '../../../gossip/config.ts';
import { Gossip } from '../../../gossip/gossip.ts';
import { endpoint } from './mesh.ts';

const [bundle, dataDirectory, ...seeds] = process.argv.slice(2);
const identity = loadNodeBundle(bundle!);
const config = gossipConfig.parse({ listen: '127.0.0.1:0', dataDirectory, seeds });
const events = { members: () => undefined, endpoints: () => undefined };
const log = pino({ level: 'silent' });
const gossip = await Gossip.start(config, { identity, events, log }, new AbortController().signal);
gossip.publish([endpoint(identity.name)]);
process.stdout.write(`${gossip.address}\n`);
