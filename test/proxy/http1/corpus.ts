/** Reads the protocol corpora in place; they live beside the repository and are never copied into it. @module */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface AmbiguityCase {
  readonly id: string;
  readonly kind: 'request' | 'response';
  readonly category: string;
  readonly requestMethod?: string;
  readonly endOfInput?: boolean;
  readonly inputBase64: string;
  readonly verdict: 'must-reject' | 'must-accept' | 'must-normalise' | 'implementation-choice';
  readonly recommended: 'reject' | 'accept' | 'normalise';
  readonly mayReject?: boolean;
  readonly choices?: readonly string[];
  readonly status?: number | readonly number[];
  readonly stage?: 'head' | 'body';
  readonly expectedForwarded?: readonly ForwardedRequest[];
  readonly expectedDelivered?: DeliveredResponse | readonly DeliveredResponse[];
  readonly connectionAfter?: 'open' | 'close' | 'either';
}

export interface ForwardedRequest {
  readonly method: string;
  readonly target: string;
  readonly bodyBase64: string;
  readonly host?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly absentHeaders?: readonly string[];
  readonly trailersMayInclude?: readonly (readonly [string, string])[];
}

export interface DeliveredResponse {
  readonly status: number;
  readonly bodyBase64: string;
  readonly complete: boolean;
  readonly headers?: readonly (readonly [string, string])[];
  readonly absentHeaders?: readonly string[];
  readonly interim?: readonly number[];
}

export interface LlhttpCase {
  readonly id: string;
  readonly kind: 'request' | 'response';
  readonly mode: string;
  readonly inputBase64: string;
  readonly expect: 'accept' | 'reject';
  readonly complete: boolean;
  readonly endOfInput?: boolean;
  readonly messages: readonly {
    readonly method?: string;
    readonly url?: string;
    readonly status?: number | string;
    readonly headers: readonly (readonly [string, string])[];
    readonly bodyBase64?: string;
    readonly complete: boolean;
  }[];
}

function folder(): string | undefined {
  const candidates = [process.env.WEFT_CORPUS, join(import.meta.dirname, '..', '..', '..', '..', 'shared', 'corpus')];
  return candidates.find((candidate) => candidate !== undefined && existsSync(join(candidate, 'http1')));
}

/** A file of the corpora; undefined, after one line on the console, where they are absent. */
export function readCorpus(file: string): string | undefined {
  const root = folder();
  if (root === undefined) {
    console.log('skipped: protocol corpora not found (set WEFT_CORPUS or check out the data beside the repository)');
    return undefined;
  }
  return readFileSync(join(root, file), 'utf8');
}

/** All cases of a file with one in each line. */
export function loadCorpus<T>(file: string): readonly T[] | undefined {
  return readCorpus(file)
    ?.split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
