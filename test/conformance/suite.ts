/** Runs the mesh conformance suite of the Gateway API against real agents, and counts by feature. @module */
import { distributionProblems, problemsOf } from './compare.ts';
import type { ConformanceCase, ConformanceData, ConformanceTest } from './data.ts';
import { ConformanceGround } from './ground.ts';

export interface CaseResult {
  readonly test: string;
  readonly name: string;
  readonly features: readonly string[];
  /** Sentences; none where it passed. */
  readonly problems: readonly string[];
}

export interface FeatureResult {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface ConformanceReport {
  readonly features: readonly FeatureResult[];
  readonly passed: number;
  readonly failed: number;
  readonly failures: readonly CaseResult[];
}

/** How often in a row a case has to hold; the suite asks for the same, and lets the first tries fail. */
const TIMES = 3;

/** @param told called with each result as it comes */
export async function runConformance(
  { base, tests }: ConformanceData,
  told: (result: CaseResult) => void = () => {},
): Promise<ConformanceReport> {
  await using ground = await ConformanceGround.create(base);
  const results: CaseResult[] = [];
  for (const test of tests) {
    for (const result of await runTest(test, ground)) {
      results.push(result);
      told(result);
    }
  }
  return report(results);
}

async function runTest(test: ConformanceTest, ground: ConformanceGround): Promise<readonly CaseResult[]> {
  const applied = [];
  for (const file of test.manifests) applied.push(...(await ground.apply(file)));
  const results: CaseResult[] = [];
  for (const one of test.cases) {
    const problems = await runCase(one, ground);
    results.push({ test: test.name, name: one.name, features: test.features, problems });
  }
  await ground.remove(applied.filter(({ kind }) => kind !== 'Service'));
  return results;
}

async function runCase(one: ConformanceCase, ground: ConformanceGround): Promise<readonly string[]> {
  const { distribution } = one.expect;
  const answers = await ground.ask(one, distribution?.requests ?? TIMES);
  const wrong = answers.map((answer) => problemsOf(answer, one.request, one.expect)).find(({ length }) => length > 0);
  if (wrong !== undefined) return wrong;
  return distribution === undefined ? [] : distributionProblems(answers, distribution);
}

function report(results: readonly CaseResult[]): ConformanceReport {
  const names = [...new Set(results.flatMap(({ features }) => features))];
  const count = (of: readonly CaseResult[], hasPassed: boolean): number =>
    of.filter(({ problems }) => (problems.length === 0) === hasPassed).length;
  return {
    features: names.map((name) => {
      const own = results.filter(({ features }) => features.includes(name));
      return { name, passed: count(own, true), failed: count(own, false), skipped: 0 };
    }),
    passed: count(results, true),
    failed: count(results, false),
    failures: results.filter(({ problems }) => problems.length > 0),
  };
}
