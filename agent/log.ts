/** Structured logs: one JSON object a line, level as a word, time as ISO 8601, and never a key or a token. @module */
import { type DestinationStream, type Logger, pino } from 'pino';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Fields whose values never leave the process, wherever they are logged or shown; case does not matter. */
const SECRET_FIELDS = [
  'privateKey',
  'privateKeyPem',
  'privateKeyDer',
  'keyPem',
  'secret',
  'token',
  'password',
  'authorization',
  'cookie',
  'set-cookie',
] as const;
const SECRETS: ReadonlySet<string> = new Set(SECRET_FIELDS.map((name) => name.toLowerCase()));

const REDACTED = '[redacted]';

export interface LogOptions {
  readonly level: LogLevel;
  /** Name of this node, put on every line so that the logs of a mesh can be read together. */
  readonly node: string;
  /** Where lines go; standard output when left out. */
  readonly destination?: DestinationStream;
}

/** Writes synchronously, so that the line that explains a crash is not lost with it. */
export function createLogger({ level, node, destination }: LogOptions): Logger {
  return pino(
    {
      level,
      base: { node },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: (fields) => redacted(fields) },
      redact: { paths: bindingPaths(), censor: REDACTED }, // the formatter above sees lines, not what child() binds
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
}

/** A copy of plain data with the values of secret fields replaced, at any depth. Also for answers of the admin API. */
export function withoutSecrets(value: unknown, depth = 0): unknown {
  if (depth > MAX_DEPTH) return '[too deep]';
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, depth + 1));
  return isPlain(value) ? redacted(value, depth) : value;
}

/** Data nested deeper than this is cut: it would be a cycle, or no line for people. */
const MAX_DEPTH = 12;

function redacted(fields: Readonly<Record<string, unknown>>, depth = 0): Record<string, unknown> {
  const entries = Object.entries(fields);
  return Object.fromEntries(
    entries.map(([key, value]) => [key, isSecret(key) ? REDACTED : withoutSecrets(value, depth + 1)]),
  );
}

/** Errors, sockets and the like are left to the serializers of pino. */
function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isSecret(field: string): boolean {
  return SECRETS.has(field.toLowerCase());
}

/** pino knows no "at any depth", and a binding is a name or a small object. */
function bindingPaths(): string[] {
  return ['', '*', '*.*'].flatMap((prefix) =>
    SECRET_FIELDS.map((name) =>
      name.includes('-') ? `${prefix}["${name}"]` : [prefix, name].filter(Boolean).join('.'),
    ),
  );
}
