/**
 * `npm run conformance`: the mesh conformance suite of the Gateway API against real agents in network namespaces.
 *
 * Usage: npm run conformance -- [-o table|json]. Needs root on Linux, and the data beside the repository.
 */
import { parseArgs } from 'node:util';
import { readConformance } from './data.ts';
import { runConformance } from './suite.ts';

const { values } = parseArgs({ options: { output: { type: 'string', short: 'o', default: 'table' } } });
const isTable = values.output !== 'json';
const data = readConformance();
if (data === undefined) {
  console.error('conformance data not found: set WEFT_CONFORMANCE_DATA, or check it out beside the repository');
  process.exit(2);
}
const report = await runConformance(data, ({ test, name, problems }) => {
  if (isTable) console.log(`${problems.length === 0 ? 'ok  ' : 'FAIL'}  ${test}: ${name}`);
  for (const problem of problems) console.error(`      ${problem}`);
});
if (isTable) {
  console.log('');
  for (const { name, passed, failed, skipped } of report.features)
    console.log(`${name.padEnd(48)} ${passed} passed, ${failed} failed, ${skipped} skipped`);
  console.log(`${report.passed} passed, ${report.failed} failed`);
} else console.log(JSON.stringify(report, undefined, 2));
process.exitCode = report.failed === 0 ? 0 : 1;
