/** `weft audit`: who changed what, when, and what came of it on this node. @module */
import { type Command, Option } from 'commander';
import { AUDIT_EVENTS, type AuditEntry } from '../audit/entry.ts';
import type { AuditPage, AuditVerdict } from '../audit/search.ts';
import { agentPlace, withAgent } from './agent-place.ts';
import { toInstant } from './durations.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { CliIo } from './io.ts';
import { outputOption } from './listing-commands.ts';
import { type OutputFormat, structured, table } from './output.ts';
import type { Context } from './program.ts';

type AuditOptions = Parameters<typeof agentPlace>[0] & {
  readonly since?: (nowMs: number) => number;
  readonly operator?: string;
  readonly kind?: string;
  readonly event?: string;
  readonly limit?: string;
  readonly verify?: boolean;
  readonly output: OutputFormat;
};

export function addAuditCommand(program: Command, context: Context): void {
  withAgent(program.command('audit'))
    .description('who changed what, when, and what came of it on this node')
    .option('--since <time>', 'an instant such as 2026-03-01T12:00:00Z, or how long ago: 90s, 15m, 12h, 7d', toInstant)
    .option('--operator <name>', 'only what this operator signed, by name or SPIFFE id')
    .option('--kind <kind>', 'only documents of this kind')
    .addOption(new Option('--event <event>', 'only these').choices(AUDIT_EVENTS))
    .option('--limit <count>', 'the latest so many; 100 when left out, 10000 at most')
    .option('--verify', 'read all of it and tell whether it was tampered with')
    .addOption(outputOption())
    .action(context.action<AuditOptions>((options, io) => (options.verify === true ? verify : list)(options, io)));
}

async function list(options: AuditOptions, io: CliIo): Promise<ExitCode> {
  const { call } = await import('./client.ts');
  const { since, output } = options;
  const asked = new URLSearchParams();
  if (since !== undefined) asked.set('since', new Date(since(io.nowMs())).toISOString());
  for (const field of ['operator', 'kind', 'event', 'limit'] as const) {
    const value = options[field];
    if (value !== undefined) asked.set(field, value);
  }
  const page = await call<AuditPage>(agentPlace(options, io.env), { method: 'GET', path: `/v1/audit?${asked}` });
  io.stdout.write(output === 'table' ? auditText(page.entries) : await structured(page.entries, output));
  if (page.isCut) io.stderr.write('there are earlier ones: --limit shows more\n');
  return EXIT.ok;
}

/** Exits with 1 when the trail is not whole. */
async function verify(options: AuditOptions, io: CliIo): Promise<ExitCode> {
  const { call } = await import('./client.ts');
  const path = '/v1/audit/verify';
  const verdict = await call<AuditVerdict>(agentPlace(options, io.env), { method: 'GET', path });
  io.stdout.write(options.output === 'table' ? verdictText(verdict) : await structured(verdict, options.output));
  return verdict.isWhole ? EXIT.ok : EXIT.failed;
}

function auditText(entries: readonly AuditEntry[]): string {
  return table(entries, [
    { heading: 'AT', text: ({ at }) => at },
    { heading: 'EVENT', text: ({ event }) => event },
    { heading: 'OPERATOR', text: ({ operator = '' }) => operator.slice(operator.lastIndexOf('/') + 1) },
    { heading: 'WHAT', text: whatOf },
    { heading: 'REVISION', text: revisionOf },
    { heading: 'REPLACES', text: ({ base = '' }) => base.slice(0, 12) },
    { heading: 'SIGNED', text: ({ signedAt = '' }) => signedAt },
    { heading: 'VIA', text: ({ via = '', from = '' }) => (from === '' ? via : `${via} ${from}`) },
    {
      heading: 'WHY',
      text: ({ reason = '', detail = '' }) => [reason, detail].filter((text) => text !== '').join(': '),
    },
  ]);
}

function whatOf({ kind = '', namespace = '', name = '' }: AuditEntry): string {
  return `${kind} ${namespace === '' ? name : `${namespace}/${name}`}`.trim();
}

function revisionOf({ revision = '', number }: AuditEntry): string {
  return `${revision.slice(0, 12)}${number === undefined ? '' : ` (${number})`}`.trim();
}

function verdictText({ isWhole, entries, firstSeq, head, problems }: AuditVerdict): string {
  const span = head === null ? 'no entries' : `${entries} entries, ${firstSeq} to ${head.seq}`;
  const lines = problems.map(({ file, line, problem }) => `${file}:${line}: ${problem}`);
  const end = head === null ? [] : [`ends with entry ${head.seq}, hash ${head.hash}`];
  return `${[isWhole ? `whole: ${span}` : `NOT WHOLE: ${span}`, ...lines, ...end].join('\n')}\n`;
}
