/** What of an answer is not as the suite expects it. Pure. @module */
import type { CaseAnswer } from './client.ts';
import type { CaseRequest, Expectation } from './data.ts';

/** What the echo server says of a request. */
interface Echoed {
  readonly target?: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly pod: string;
  readonly namespace: string;
}

/** @returns sentences; none where all is well */
export function problemsOf(answer: CaseAnswer, request: CaseRequest, expected: Expectation): readonly string[] {
  if (answer.error !== '') return [`no answer: ${answer.error}`];
  const problems: string[] = [];
  const check = (what: string, found: unknown, isRight: boolean): void => {
    if (!isRight) problems.push(`${what}, found ${JSON.stringify(found)}`);
  };
  const { statusCodes, grpcStatus, responseHeaders = {}, absentResponseHeaders = [], redirect } = expected;
  check(`status ${statusCodes.join(' or ')}`, answer.status, statusCodes.includes(answer.status));
  if (grpcStatus !== undefined) check(`grpc-status ${grpcStatus}`, answer.grpcStatus, answer.grpcStatus === grpcStatus);
  for (const [name, value] of Object.entries(responseHeaders)) {
    const found = valueOf(answer.headers, name);
    check(`response header ${name}: ${value}`, found, found?.split(',').at(-1) === value);
  }
  for (const name of absentResponseHeaders) {
    const found = valueOf(answer.headers, name);
    check(`no response header ${name}`, found, found === undefined);
  }
  if (redirect !== undefined)
    problems.push(...redirectProblems(valueOf(answer.headers, 'location'), request, redirect));
  const isServed = expected.backend !== undefined || expected.backendAnyOf !== undefined;
  if (isServed || expected.backendRequest !== undefined) problems.push(...echoProblems(answer, expected));
  return problems;
}

/** @returns how far the shares of a batch are off */
export function distributionProblems(
  answers: readonly CaseAnswer[],
  { weights, tolerance }: NonNullable<Expectation['distribution']>,
): readonly string[] {
  const pods = answers.map(podOf);
  const problems: string[] = [];
  for (const [backend, weight] of Object.entries(weights)) {
    const share = pods.filter((pod) => pod.startsWith(backend)).length / pods.length;
    if (Math.abs(share - weight) > tolerance) problems.push(`${backend} has a share of ${share}, not ${weight}`);
    if (weight > 0 && share === 0) problems.push(`${backend} got nothing`);
  }
  const strangers = pods.filter((pod) => !Object.keys(weights).some((backend) => pod.startsWith(backend)));
  if (strangers.length > 0) problems.push(`${strangers.length} answers of others: ${strangers[0]}`);
  return problems;
}

function podOf({ body }: CaseAnswer): string {
  return echoedIn(body)?.pod ?? '';
}

function echoedIn(body: string): Echoed | undefined {
  try {
    return JSON.parse(body) as Echoed;
  } catch {
    return undefined;
  }
}

function echoProblems({ body }: CaseAnswer, expected: Expectation): readonly string[] {
  const echoed = echoedIn(body);
  if (echoed === undefined) return [`an answer of the echo server, found ${JSON.stringify(body.slice(0, 200))}`];
  const problems: string[] = [];
  const { backend, backendAnyOf = backend === undefined ? [] : [backend], namespace, backendRequest = {} } = expected;
  if (backendAnyOf.length > 0 && !backendAnyOf.some((name) => echoed.pod.startsWith(name)))
    problems.push(`answered by ${backendAnyOf.join(' or ')}, found ${echoed.pod}`);
  if (namespace !== undefined && echoed.namespace !== namespace)
    problems.push(`answered in namespace ${namespace}, found ${echoed.namespace}`);
  const { path, headers = {}, absentHeaders = [] } = backendRequest;
  if (path !== undefined && echoed.target !== undefined && echoed.target !== path)
    problems.push(`the backend received ${path}, found ${echoed.target}`);
  for (const [name, value] of Object.entries(headers)) {
    const found = valueOf(echoed.headers, name);
    if (found !== value) problems.push(`the backend received ${name}: ${value}, found ${found}`);
  }
  for (const name of absentHeaders) {
    const found = valueOf(echoed.headers, name);
    if (found !== undefined) problems.push(`the backend received no ${name}, found ${found}`);
  }
  return problems;
}

function redirectProblems(
  location: string | undefined,
  request: CaseRequest,
  { scheme, host, hostNotAsserted = false, port, portAbsentOr, path }: NonNullable<Expectation['redirect']>,
): readonly string[] {
  const match = /^(https?):\/\/([^/:]+)(?::(\d+))?(\/[^?#]*)/.exec(location ?? '');
  if (match === null) return [`an absolute Location, found ${location}`];
  const [, foundScheme, foundHost, foundPort, foundPath] = match;
  const problems: string[] = [];
  if (foundScheme !== scheme) problems.push(`Location with ${scheme}, found ${location}`);
  const asked = request.host.replace(/:\d+$/, '');
  if (foundHost !== host && !(hostNotAsserted && foundHost === asked))
    problems.push(`Location at ${host}, found ${location}`);
  if (port !== undefined && foundPort !== port) problems.push(`Location with port ${port}, found ${location}`);
  if (portAbsentOr !== undefined && foundPort !== undefined && foundPort !== portAbsentOr)
    problems.push(`Location without port or with ${portAbsentOr}, found ${location}`);
  if (foundPath !== path) problems.push(`Location with path ${path}, found ${location}`);
  return problems;
}

/** All lines of a name joined as the suite does. */
function valueOf(headers: CaseAnswer['headers'], name: string): string | undefined {
  const values = headers.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(',');
}
