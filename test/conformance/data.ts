/** The conformance data that lies beside the repository: what is sent, and what has to come of it. Read in place. @module */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Expectation {
  readonly statusCodes: readonly number[];
  readonly grpcStatus?: number;
  /** Prefix of the name of the pod that answers. */
  readonly backend?: string;
  readonly backendAnyOf?: readonly string[];
  readonly namespace?: string;
  readonly backendRequest?: {
    readonly path?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly absentHeaders?: readonly string[];
  };
  readonly responseHeaders?: Readonly<Record<string, string>>;
  readonly absentResponseHeaders?: readonly string[];
  readonly redirect?: {
    readonly statusCode: number;
    readonly scheme: string;
    readonly host: string;
    readonly hostNotAsserted?: boolean;
    readonly port?: string;
    readonly portAbsentOr?: string;
    readonly path: string;
  };
  readonly distribution?: {
    readonly requests: number;
    readonly weights: Readonly<Record<string, number>>;
    readonly tolerance: number;
  };
}

export interface CaseRequest {
  readonly protocol: 'http' | 'grpc';
  readonly host: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly service?: string;
  readonly rpc?: string;
}

export interface ConformanceCase {
  readonly name: string;
  readonly from: { readonly namespace: string; readonly client: string };
  readonly request: CaseRequest;
  readonly expect: Expectation;
}

export interface ConformanceTest {
  readonly name: string;
  /** 'core' or 'extended' by profile. */
  readonly countedIn: Readonly<Record<string, string>>;
  readonly features: readonly string[];
  /** Paths of files to apply, in order; the base manifests are not among them. */
  readonly manifests: readonly string[];
  readonly cases: readonly ConformanceCase[];
}

export interface ConformanceData {
  /** Path of the Services that every test needs. */
  readonly base: string;
  readonly tests: readonly ConformanceTest[];
}

const BESIDE = join(import.meta.dirname, '..', '..', '..', 'shared', 'conformance', 'gateway-api');

/** @returns undefined where the data is not there */
export function readConformance(): ConformanceData | undefined {
  const directory = process.env.WEFT_CONFORMANCE_DATA ?? BESIDE;
  if (!existsSync(join(directory, 'index.json'))) return undefined;
  const index = readJson<{ tests: readonly { file: string; unreleased: boolean }[] }>(directory, 'index.json');
  const tests = index.tests.map(({ file, unreleased }): ConformanceTest => {
    const test = readJson<ConformanceTest>(directory, file);
    const root = join(directory, unreleased ? 'next' : '', 'manifests');
    const manifests = test.manifests.slice(1).map((path) => join(root, path));
    return { ...test, manifests };
  });
  return { base: join(directory, 'manifests', 'mesh', 'manifests.yaml'), tests };
}

function readJson<T>(directory: string, file: string): T {
  return JSON.parse(readFileSync(join(directory, file), 'utf8')) as T;
}
