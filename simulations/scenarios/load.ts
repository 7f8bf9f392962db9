/** Finds scenario files and reads them: those that ship by name, any other by path. @module */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { SimulationError } from '../errors.ts';
import type { Scenario } from './schema.ts';
import { scenario } from './schema.ts';

/**
 * Where the files that ship are: beside this file in the sources. A build has its own copy; if it was made by a bare
 * `tsc`, which copies no YAML, the sources two folders up still have them.
 */
function directory(): string {
  const beside = import.meta.dirname;
  if (readdirSync(beside).some(isYaml)) return beside;
  return join(beside, '..', '..', '..', 'simulations', 'scenarios');
}

/** Every scenario that ships, by name. */
export function listScenarios(): readonly Scenario[] {
  const from = directory();
  return readdirSync(from)
    .filter(isYaml)
    .sort()
    .map((file) => readScenario(join(from, file)));
}

/** @param what the name of one that ships, or the path of a .yaml file */
export function loadScenario(what: string): Scenario {
  if (isYaml(what)) return readScenario(what);
  const file = join(directory(), `${what}.yaml`);
  if (!/^[a-z0-9-]+$/.test(what) || !existsSync(file)) throw new SimulationError('WEFT_SIMULATION_UNKNOWN', what);
  return readScenario(file);
}

export function readScenario(file: string): Scenario {
  let value: unknown;
  try {
    value = parse(readFileSync(file, 'utf8'));
  } catch (err) {
    const reason = err instanceof Error ? err.message : String(err);
    throw new SimulationError('WEFT_SIMULATION_INVALID', `${file}: ${reason}`, { cause: err });
  }
  const result = scenario.safeParse(value);
  if (result.success) return result.data;
  throw new SimulationError('WEFT_SIMULATION_INVALID', `${file}:\n${z.prettifyError(result.error)}\n`);
}

function isYaml(file: string): boolean {
  return file.endsWith('.yaml') || file.endsWith('.yml');
}
