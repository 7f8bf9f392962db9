/** What rules see of a request. @module */

import { AS_IT_IS, FIELD, FIELD_STRIDE, type Head, TAKEN } from '../http1/grammar/head.ts';
import { type CanonicalHost, foldReadings, readHost, readPath } from './canonical.ts';

export interface HeaderLine {
  readonly value: string;
  /** Whether the application gets it: lines that concern this hop alone stay here (RFC 9110 §7.6.1). */
  readonly isPassedOn: boolean;
}

export interface AccessRequest {
  readonly method: string;
  readonly host: CanonicalHost;
  /** As on the wire, without the query. */
  readonly rawPath: string;
  /** What the path may mean; undefined where that cannot be said. */
  readonly readings: readonly string[] | undefined;
  readonly foldedReadings: readonly string[];
  /** Why the path cannot be read. */
  readonly unreadable: string | undefined;
  /** All lines of a name, which is given in lower case. */
  header(name: string): readonly HeaderLine[];
}

const NO_LINES: readonly HeaderLine[] = [];

/** A request as somebody describes it, or as it was. */
export class DescribedRequest implements AccessRequest {
  readonly method: string;
  readonly host: CanonicalHost;
  readonly rawPath: string;
  readonly readings: readonly string[] | undefined;
  readonly foldedReadings: readonly string[];
  readonly unreadable: string | undefined;
  readonly #headers = new Map<string, HeaderLine[]>();

  /** @param path a query is cut off */
  constructor(request: {
    readonly method: string;
    readonly host: string;
    readonly path: string;
    readonly headers: readonly (readonly [name: string, value: string, isPassedOn?: boolean])[];
  }) {
    this.method = request.method;
    this.host = readHost(request.host);
    this.rawPath = withoutQuery(request.path);
    const read = readPath(this.rawPath);
    this.readings = 'unreadable' in read ? undefined : read;
    this.unreadable = 'unreadable' in read ? read.unreadable : undefined;
    this.foldedReadings = this.readings === undefined ? [] : foldReadings(this.readings);
    for (const [name, value, isPassedOn = true] of request.headers) {
      const key = name.toLowerCase();
      this.#headers.set(key, [...this.header(key), { value, isPassedOn }]);
    }
  }

  header(name: string): readonly HeaderLine[] {
    return this.#headers.get(name) ?? NO_LINES;
  }
}

/** The request in a parsed head, read no further than rules ask. One object serves all requests of a connection. */
export class HeadRequest implements AccessRequest {
  readonly #authority: string;
  #head: Head | undefined = undefined;
  #added = '';
  #method: string | undefined = undefined;
  #host: CanonicalHost | undefined = undefined;
  #rawPath: string | undefined = undefined;
  #readings: readonly string[] | undefined = undefined;
  #folded: readonly string[] | undefined = undefined;
  #unreadable: string | undefined = undefined;

  /** @param authority the Host that a request without one goes on with */
  constructor(authority: string) {
    this.#authority = authority;
  }

  /**
   * Turns to the next request. The head must stay as it is while this is read. What edits of a route took away is not there.
   *
   * @param added complete header lines that go on with it
   */
  of(head: Head, added = ''): this {
    this.#head = head;
    this.#added = added;
    this.#method = undefined;
    this.#host = undefined;
    this.#rawPath = undefined;
    this.#readings = undefined;
    this.#folded = undefined;
    this.#unreadable = undefined;
    return this;
  }

  get method(): string {
    this.#method ??= this.#head!.method();
    return this.#method;
  }

  get host(): CanonicalHost {
    this.#host ??= readHost(this.#authorityOf(this.#head!));
    return this.#host;
  }

  get rawPath(): string {
    const head = this.#head!;
    this.#rawPath ??= head.target === AS_IT_IS ? head.path() : withoutQuery(targetOf(head));
    return this.#rawPath;
  }

  get readings(): readonly string[] | undefined {
    if (this.#readings === undefined && this.#unreadable === undefined) {
      const read = readPath(this.rawPath);
      if ('unreadable' in read) this.#unreadable = read.unreadable;
      else this.#readings = read;
    }
    return this.#readings;
  }

  get foldedReadings(): readonly string[] {
    this.#folded ??= foldReadings(this.readings ?? []);
    return this.#folded;
  }

  get unreadable(): string | undefined {
    return this.readings === undefined ? this.#unreadable : undefined;
  }

  header(name: string): readonly HeaderLine[] {
    const head = this.#head!;
    let lines: HeaderLine[] | undefined;
    for (let field = 0; field < head.fieldCount; field++) {
      const at = field * FIELD_STRIDE;
      if (head.fields[at + 5] === TAKEN) continue;
      if (head.fields[at + 1]! - head.fields[at]! !== name.length || head.name(field).toLowerCase() !== name) continue;
      lines ??= [];
      lines.push({ value: head.value(field), isPassedOn: head.fields[at + 5] === 0 });
    }
    if (this.#added === '') return lines ?? NO_LINES;
    const added = linesOf(this.#added).filter(([other]) => other.toLowerCase() === name);
    return [...(lines ?? NO_LINES), ...added.map(([, value]) => ({ value, isPassedOn: true }))];
  }

  /** A copy that outlives the head. */
  described(): DescribedRequest {
    const head = this.#head!;
    return new DescribedRequest({
      method: this.method,
      host: this.#authorityOf(head),
      path: this.rawPath,
      headers: [...this.#passing(head), ...linesOf(this.#added)],
    });
  }

  *#passing(head: Head): Generator<readonly [name: string, value: string, isPassedOn: boolean]> {
    for (let field = 0; field < head.fieldCount; field++) {
      const state = head.fields[field * FIELD_STRIDE + 5];
      if (state !== TAKEN) yield [head.name(field), head.value(field), state === 0];
    }
  }

  /** The authority that goes on: that of an absolute-form target, else Host (RFC 9112 §3.2.2). */
  #authorityOf(head: Head): string {
    if (head.target.authority !== undefined) return head.target.authority;
    const host = head.find(FIELD.host);
    return host === -1 ? this.#authority : head.value(host);
  }
}

/** Names and values of complete lines, as edits of routes are compiled to. */
function linesOf(text: string): readonly (readonly [name: string, value: string])[] {
  return text
    .split('\r\n')
    .slice(0, -1)
    .map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    });
}

/** The request target as it goes on: never in absolute-form. */
export function targetOf({ bytes, target, targetStart, targetEnd }: Head): string {
  if (target === AS_IT_IS) return bytes.toString('latin1', targetStart, targetEnd);
  return target.prefix + bytes.toString('latin1', target.pathStart, target.pathEnd);
}

function withoutQuery(path: string): string {
  const query = path.indexOf('?');
  return query === -1 ? path : path.slice(0, query);
}
