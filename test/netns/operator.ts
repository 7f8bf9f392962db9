/** What an operator does at an agent of the lab: types commands, publishes documents, waits until they are in use. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { runCli } from '../../agent/cli/cli.ts';
import type { RevisionStatusView } from '../../agent/documents/views.ts';
import type { LabAgent, MeshLab } from '../../agent/lab/mesh-lab.ts';

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** `weft ARGV` as an operator types it, against the unix socket of an agent. */
export async function weftAt(mesh: MeshLab, agent: LabAgent, ...argv: readonly string[]): Promise<Said> {
  let out = '';
  let err = '';
  const code = await runCli([...argv, '-s', join(agent.home, 'agent.sock')], {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: { WEFT_OPERATOR: join(mesh.directory, 'trust') },
    signal: new AbortController().signal,
    nowMs: Date.now,
  });
  return { code, out, err };
}

/** The same, of a command that must succeed. @returns what it printed */
export async function weftDone(mesh: MeshLab, agent: LabAgent, ...argv: readonly string[]): Promise<string> {
  const { code, out, err } = await weftAt(mesh, agent, ...argv);
  if (code !== 0) throw new Error(`weft ${argv.join(' ')}: ${err}`);
  return out;
}

/** Publishes documents. @param documents as text or as what they say @returns their revisions, in short, and what was said besides */
export async function publish(
  mesh: MeshLab,
  agent: LabAgent,
  ...documents: readonly (string | object)[]
): Promise<{ readonly revisions: readonly string[]; readonly warnings: string }> {
  const file = join(mesh.directory, 'documents.yaml');
  writeFileSync(file, documents.map((one) => (typeof one === 'string' ? one : stringify(one))).join('---\n'));
  const { code, out, err } = await weftAt(mesh, agent, 'apply', '-f', file);
  if (code !== 0) throw new Error(`weft apply: ${out}${err}`);
  const revisions = [...out.matchAll(/revision ([0-9a-f]{12})\n/g)].map(([, revision]) => revision!);
  return { revisions, warnings: err };
}

/** How all nodes fare with a revision, as an agent knows it; undefined while it knows nothing of it. */
export async function statusAt(
  mesh: MeshLab,
  agent: LabAgent,
  revision: string,
): Promise<RevisionStatusView | undefined> {
  const { out } = await weftAt(mesh, agent, 'status', revision, '-o', 'json');
  return out === '' ? undefined : (JSON.parse(out) as RevisionStatusView);
}

/** Until an agent says that a revision is in use on so many nodes. */
export function untilApplied(mesh: MeshLab, agent: LabAgent, revision: string, on: number): Promise<void> {
  return agent.until(`revision ${revision} applied on ${on}`, async () => {
    return (await statusAt(mesh, agent, revision))?.applied === on;
  });
}
