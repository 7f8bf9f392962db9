/** Options by which `weft logs`, `traces` and `tap` choose requests, and the language that takes more than options. @module */
import { type Command, InvalidArgumentError } from 'commander';
import { type FilterField, type FilterTerm, fieldTerm, parseFilter } from '../telemetry/record-filter.ts';
import { toInstant } from './durations.ts';

export interface FilterOptions {
  readonly from?: string;
  readonly to?: string;
  readonly method?: string;
  readonly path?: string;
  readonly route?: string;
  readonly status?: string;
  readonly reason?: string;
  readonly user?: string;
  readonly trace?: string;
  readonly failed?: boolean;
  readonly min?: string;
  readonly search?: readonly FilterTerm[];
}

export type FilterOption = Exclude<keyof FilterOptions, 'search'>;

const DESCRIPTIONS: Readonly<Record<FilterOption, readonly [flags: string, description: string]>> = {
  from: ['--from <caller>', 'service that calls, with or without its namespace, or a SPIFFE id'],
  to: ['--to <service>', 'service that is called'],
  method: ['--method <method>', 'such as POST'],
  path: ['--path <path>', 'as it was sent, without query; * stands for any characters: /v1/*'],
  route: ['--route <route>', 'template that the path belongs to; * stands for any characters'],
  status: ['--status <status>', 'status of the response: 503, 5xx, 404,5xx'],
  reason: ['--reason <code>', 'why the mesh ended it, such as no-endpoint'],
  user: ['--user <user>', 'who asked, as telemetry.userHeader or userClaim says it'],
  trace: ['--trace <id>', 'of this trace'],
  failed: ['--failed', 'only what failed: 5xx, the like of gRPC, or ended by the mesh'],
  min: ['--min <time>', 'that took at least so long: 100ms, 2s'],
};
/** Options of another name than their field. */
const FIELDS: readonly FilterField[] = ['from', 'to', 'method', 'path', 'route', 'status', 'reason', 'user', 'trace'];

export function addFilterOptions(command: Command, names: readonly FilterOption[]): Command {
  for (const name of names) command.option(...(DESCRIPTIONS[name] as [string, string]));
  return command.option(
    '-q, --search <filter>',
    "more: 'service:cart,web status:5xx -reason:overflow duration>100ms word', all of which must hold",
    toTerms,
  );
}

/** @param service either side; undefined: any */
export function termsOf(options: FilterOptions, service: string | undefined): FilterTerm[] {
  const given = (field: FilterField): FilterTerm[] => {
    const value = (options as Readonly<Partial<Record<FilterField, string>>>)[field];
    return value === undefined ? [] : [fieldTerm(field, value)];
  };
  return [
    ...(service === undefined ? [] : [fieldTerm('service', service)]),
    ...FIELDS.flatMap(given),
    ...(options.failed === true ? [fieldTerm('is', 'failed')] : []),
    ...(options.min === undefined ? [] : toTerms(`duration>${options.min}`)),
    ...(options.search ?? []),
  ];
}

export function addTimeOptions(command: Command): Command {
  return command
    .option('--since <time>', 'an instant such as 2026-03-01T12:00:00Z, or how long ago: 90s, 15m, 12h', toInstant)
    .option('--until <time>', 'the same; now when left out', toInstant);
}

export interface TimeOptions {
  readonly since?: (nowMs: number) => number;
  readonly until?: (nowMs: number) => number;
}

const DEFAULT_SINCE_MS = 15 * 60_000;
/** Clocks of other nodes may be ahead. */
const AHEAD_MS = 60_000;

export function rangeOf({ since, until }: TimeOptions, nowMs: number): { sinceMs: number; untilMs: number } {
  return { sinceMs: since?.(nowMs) ?? nowMs - DEFAULT_SINCE_MS, untilMs: until?.(nowMs) ?? nowMs + AHEAD_MS };
}

function toTerms(text: string): readonly FilterTerm[] {
  const parsed = parseFilter(text);
  if (!parsed.ok) throw new InvalidArgumentError(parsed.problem);
  return parsed.terms;
}
