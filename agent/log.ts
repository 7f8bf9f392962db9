/** Structured logs: one JSON object a line, level as a word, time as ISO 8601, and never a key or a token. @module */
import { type DestinationStream, type Logger, pino } from 'pino';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Field names whose values never leave the process, wherever they are logged or shown. */
const SECRET_FIELDS = [
  'privateKey',
  'privateKeyPem',
  'keyPem',
  'privateKeyDer',
  'secret',
  'token',
  'password',
  'authorization',
  'cookie',
  'set-cookie',
] as const;

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
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: redactPaths(), censor: REDACTED },
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
}

/** A copy of plain data with the values of secret fields replaced, at any depth. For answers of the admin API. */
export function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, isSecret(key) ? REDACTED : withoutSecrets(inner)]),
  );
}

function isSecret(field: string): boolean {
  return SECRET_FIELDS.some((name) => name.toLowerCase() === field.toLowerCase());
}

/** pino knows no "at any depth": three levels cover every object we log. */
function redactPaths(): string[] {
  return ['', '*.', '*.*.'].flatMap((prefix) =>
    SECRET_FIELDS.map((name) => (name.includes('-') ? `${prefix.replace(/\.$/, '')}["${name}"]` : `${prefix}${name}`)),
  );
}
