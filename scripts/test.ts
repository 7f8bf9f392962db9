/**
 * `npm test`: types and lint, then every suite, then one plain line with the counts.
 *
 * Arguments go to Vitest (`npm test -- test/certs`). With CI=true a skipped test is a failure: what should have run did not.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numFailedTestSuites: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

const filters = process.argv.slice(2);
const scratch = mkdtempSync(join(tmpdir(), 'weft-test-'));
process.exitCode = await runAll();
rmSync(scratch, { recursive: true, force: true });

async function runAll(): Promise<number> {
  if (filters.length === 0) {
    for (const project of ['.', 'agent/console/web'])
      if (run('tsc', ['--noEmit', '-p', project]) !== 0) return refuse(`the types of ${project} do not check`);
    if (run('biome', ['check', '--error-on-warnings', '.']) !== 0) return refuse('lint: `npm run format` fixes most');
    const { buildConsole } = await import('./console.ts');
    try {
      await buildConsole(); // once, and not by each suite that looks at it
    } catch (err) {
      return refuse(`the console cannot be built: ${String(err)}`);
    }
  }
  const reportFile = join(scratch, 'report.json');
  const status = run('vitest', [
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${reportFile}`,
    ...filters,
  ]);
  if (!existsSync(reportFile)) return refuse('vitest wrote no report');
  const report = JSON.parse(readFileSync(reportFile, 'utf8')) as VitestReport;
  return conclude(report, status);
}

function conclude(report: VitestReport, status: number): number {
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  );
  const failed = report.numFailedTests + brokenFiles.length;
  const skipped = report.numPendingTests + report.numTodoTests;
  const isComplete = process.env.CI === 'true';
  if (skipped > 0) {
    console.log(isComplete ? 'Skipped, and a complete run may skip nothing:' : 'Skipped:');
    for (const file of report.testResults)
      for (const test of file.assertionResults)
        if (test.status !== 'passed' && test.status !== 'failed') console.log(`  ${test.fullName}`);
  }
  console.log(`${report.numPassedTests} passed, ${failed} failed, ${skipped} skipped`);
  return status !== 0 || failed > 0 || report.numPassedTests === 0 || (isComplete && skipped > 0) ? 1 : 0;
}

function refuse(problem: string): number {
  console.error(problem);
  console.log('0 passed, 1 failed, 0 skipped');
  return 1;
}

function run(command: string, args: readonly string[]): number {
  return spawnSync(command, args, { stdio: 'inherit' }).status ?? 1;
}
