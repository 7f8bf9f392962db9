/**
 * `npm run chaos`: the third tier with figures.
 *
 * Usage: npm run -s chaos -- [--nodes N] [--fault-seconds N] [-o table|json]
 */
import { parseArgs } from 'node:util';
import { runChaos } from './chaos.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '12' },
    'fault-seconds': { type: 'string', default: '10' },
    output: { type: 'string', short: 'o', default: 'table' },
  },
});
const report = await runChaos({
  nodes: Number(values.nodes),
  faultMs: Number(values['fault-seconds']) * 1_000,
  onStep: (sentence) => process.stderr.write(`chaos: ${sentence}\n`),
});
if (values.output === 'json') console.log(JSON.stringify(report));
else for (const [name, value] of Object.entries(report)) console.log(`${name.padEnd(14)} ${JSON.stringify(value)}`);
