/** What routes see of a request: read no further than some rule asks, one byte a character. @module */

import { targetOf } from '../access/request.ts';
import { spells } from '../http1/grammar/characters.ts';
import { FIELD_STRIDE, type Head } from '../http1/grammar/head.ts';

export interface RouteRequest {
  readonly method: string;
  /** As on the wire, without the query. Nothing is taken out of it and nothing decoded. */
  readonly path: string;
  /** All lines of a name, which is given in lower case, joined by ','; undefined where there is none. */
  header(name: string): string | undefined;
  /** The first value of a parameter, percent-decoded; a name without `=` has the value ''. */
  query(name: string): string | undefined;
  /** The first cookie of a name. */
  cookie(name: string): string | undefined;
}

type Values = Map<string, string | undefined>;

/** What both kinds of request have in common: finding parameters and cookies, each at most once a request. */
abstract class LazyRequest implements RouteRequest {
  abstract readonly method: string;
  readonly #headers: Values = new Map();
  readonly #queries: Values = new Map();
  readonly #cookies: Values = new Map();
  #path: string | undefined = undefined;
  #query: string | undefined = undefined;

  protected abstract target(): string;
  protected abstract find(name: string, separator: string): string | undefined;

  protected forget(): void {
    this.#path = undefined;
    this.#query = undefined;
    if (this.#headers.size > 0) this.#headers.clear();
    if (this.#queries.size > 0) this.#queries.clear();
    if (this.#cookies.size > 0) this.#cookies.clear();
  }

  get path(): string {
    this.#path ??= this.pathAlone();
    return this.#path;
  }

  header(name: string): string | undefined {
    const known = this.#headers.get(name);
    if (known !== undefined || this.#headers.has(name)) return known;
    const value = this.find(name, ',');
    this.#headers.set(name, value);
    return value;
  }

  query(name: string): string | undefined {
    const known = this.#queries.get(name);
    if (known !== undefined || this.#queries.has(name)) return known;
    this.#query ??= queryOf(this.target());
    const value = parameterOf(this.#query, name);
    this.#queries.set(name, value);
    return value;
  }

  cookie(name: string): string | undefined {
    const known = this.#cookies.get(name);
    if (known !== undefined || this.#cookies.has(name)) return known;
    const value = cookieOf(this.find('cookie', ';') ?? '', name);
    this.#cookies.set(name, value);
    return value;
  }

  protected pathAlone(): string {
    const target = this.target();
    const question = target.indexOf('?');
    return question === -1 ? target : target.slice(0, question);
  }
}

/** The request in a parsed head. One object serves all requests of a connection. */
export class HeadRouteRequest extends LazyRequest {
  #head: Head | undefined = undefined;
  #method: string | undefined = undefined;

  /** Turns to the next request. The head must stay as it is while this is read: routes come before rewrites. */
  of(head: Head): this {
    this.#head = head;
    this.#method = undefined;
    this.forget();
    return this;
  }

  get method(): string {
    this.#method ??= this.#head!.method();
    return this.#method;
  }

  protected override target(): string {
    return targetOf(this.#head!);
  }

  protected override pathAlone(): string {
    return this.#head!.path(); // nothing was rewritten yet
  }

  protected override find(name: string, separator: string): string | undefined {
    const head = this.#head!;
    const { authority } = head.target;
    if (authority !== undefined && name === 'host') return authority;
    let value: string | undefined;
    for (let field = 0; field < head.fieldCount; field++) {
      const at = field * FIELD_STRIDE;
      if (!spells(head.bytes, head.fields[at]!, head.fields[at + 1]!, name)) continue;
      value = value === undefined ? head.value(field) : `${value}${separator}${head.value(field)}`;
    }
    return value;
  }
}

/** A request as somebody describes it. */
export class DescribedRouteRequest extends LazyRequest {
  readonly method: string;
  readonly #target: string;
  readonly #lines: readonly (readonly [string, string])[];

  /** @param request `path` with its query, as on the wire */
  constructor(request: {
    readonly method: string;
    readonly path: string;
    readonly headers: readonly (readonly [name: string, value: string])[];
  }) {
    super();
    this.method = request.method;
    this.#target = request.path;
    this.#lines = request.headers;
  }

  protected override target(): string {
    return this.#target;
  }

  protected override find(name: string, separator: string): string | undefined {
    const values = this.#lines.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
    return values.length === 0 ? undefined : values.join(separator);
  }
}

function queryOf(target: string): string {
  const question = target.indexOf('?');
  return question === -1 ? '' : target.slice(question + 1);
}

function parameterOf(query: string, name: string): string | undefined {
  for (let start = 0; start < query.length; ) {
    let end = query.indexOf('&', start);
    if (end === -1) end = query.length;
    const equals = query.indexOf('=', start);
    const nameEnd = equals === -1 || equals > end ? end : equals;
    if (percentDecoded(query.slice(start, nameEnd)) === name) return percentDecoded(query.slice(nameEnd + 1, end));
    start = end + 1;
  }
  return undefined;
}

/** RFC 3986 §2.1; a percent sign that encodes nothing stands for itself, and so does `+`. */
function percentDecoded(text: string): string {
  if (!text.includes('%')) return text;
  return text.replace(/%([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

/** RFC 6265 §5.4: pairs between semicolons. */
function cookieOf(line: string, name: string): string | undefined {
  for (let start = 0; start < line.length; ) {
    let end = line.indexOf(';', start);
    if (end === -1) end = line.length;
    const equals = line.indexOf('=', start);
    if (equals !== -1 && equals < end && line.slice(start, equals).trim() === name)
      return line.slice(equals + 1, end).trim();
    start = end + 1;
  }
  return undefined;
}
