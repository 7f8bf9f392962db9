/** A mistake in what a person wrote: a file, or a request. @module */
import type { z } from 'zod';

/** One mistake in one file. `line` and `column` count from 1. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Path of the field, such as `spec.ports[0].port`; empty when the whole document is meant. */
  readonly field: string;
  /** What is wrong, what is allowed, and the fix. */
  readonly message: string;
}

/** `file:line:column: field: message`, the form compilers and editors agree on. */
export function formatProblem({ file, line, column, field, message }: Problem): string {
  return `${file}:${line}:${column}: ${field === '' ? '' : `${field}: `}${message}`;
}

/** The first thing that zod found wrong, by its field, where no file has lines to name. */
export function problemOf({ issues: [issue] }: z.ZodError): string {
  return `${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'not valid'}`;
}
