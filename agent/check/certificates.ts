/** Whether the certificates of this node will do, and go on doing so. @module */
import { existsSync } from 'node:fs';
import { loadNodeBundle, nodeBundleFiles } from '../../certs/node-bundle.ts';
import { messageOf } from '../errors.ts';
import type { CertificatesView } from '../identity/certificates.ts';
import { isLow, type NodeLife, nodeLife } from '../identity/life.ts';
import { type CheckResult, fail, ok, warn } from './report.ts';

const NAME = 'certificates';
const RENEW =
  'see that an agent with certs.issuerDirectory is up and reaches this node (weft status names issuers); or make a token ' +
  '(weft token create --name NODE --grant ...), and weft join TOKEN ADDR --out the bundle directory: no restart is needed';

/** Of a running agent. */
export function checkCertificates(
  { life, renewal, bundleProblem, desk }: Pick<CertificatesView, 'life' | 'renewal' | 'bundleProblem' | 'desk'>,
  nowMs: number,
): CheckResult[] {
  const results = [checkLifetime(life, nowMs, renewal.problem)];
  if (bundleProblem !== '') {
    results.push(
      fail('node bundle', bundleProblem, 'correct the bundle directory; what was loaded before stays in use'),
    );
  }
  for (const { kept, refused } of desk?.conflicts ?? []) {
    const detail = `${kept.node} and ${refused.node} joined with the same token while issuers were apart`;
    const fix = `one of them stole it: look at both, and weft revoke node/${refused.node} (it is not renewed any more)`;
    results.push(fail('join tokens', detail, fix));
  }
  return results;
}

/** @param problem why the last renewal did not work; empty if it did, or was not due yet */
export function checkLifetime(
  { subject, notBeforeMs, expiresAtMs }: NodeLife,
  nowMs: number,
  problem = '',
): CheckResult {
  const until = new Date(expiresAtMs).toISOString();
  const why = problem === '' ? '' : `; renewal failed: ${problem}`;
  if (expiresAtMs <= nowMs) return fail(NAME, `${subject} expired at ${until}${why}`, RENEW);
  if (!isLow({ notBeforeMs, expiresAtMs }, nowMs)) return ok(NAME, `${subject} is valid until ${until}`);
  const left = formatLeft(expiresAtMs - nowMs);
  return fail(NAME, `${subject} is valid until ${until}: ${left}, less than a third of its life${why}`, RENEW);
}

/**
 * For an agent that does not run: whether it would accept its bundle.
 *
 * @param options.mayBeAbsent without any configuration an agent makes a trust domain of its own
 */
export function checkBundle(
  directory: string,
  { nowMs, mayBeAbsent = false }: { readonly nowMs: number; readonly mayBeAbsent?: boolean },
): CheckResult {
  if (mayBeAbsent && !existsSync(nodeBundleFiles(directory).certificates)) {
    const fix = 'to join nodes: weft init, weft node issue for each, and certs.bundleDirectory in agent.yaml';
    return warn(NAME, 'none; the agent will make a mesh of one node', fix);
  }
  try {
    return checkLifetime(nodeLife(loadNodeBundle(directory, nowMs)), nowMs);
  } catch (err) {
    const fix = 'see above; weft join or weft node issue writes a bundle, certs.bundleDirectory names it';
    return fail(NAME, messageOf(err), fix);
  }
}

function formatLeft(ms: number): string {
  const hours = Math.floor(ms / 3_600_000);
  return hours > 0 ? `${hours} h` : `${Math.floor(ms / 60_000)} min`;
}
