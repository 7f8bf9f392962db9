/**
 * What was kept of the requests of a while: who called what, and method and route of it. No header, no query, no address and no
 * authority is kept, so that a rule that asks for one may or may not hold for them: three answers, and never a guess. Pure.
 * @module
 */

export interface ObservedCall {
  /** SPIFFE id; '' in plaintext. */
  readonly source: string;
  /** 'namespace/service' of the caller, or `outside`. */
  readonly caller: string;
  /** 'namespace/service'. */
  readonly destination: string;
  readonly protocol: 'http' | 'grpc' | 'tcp';
  /** '' where it is not known, as of connections. */
  readonly method: string;
  /** As statistics call it: `/v1/accounts/{id}`, `/v1/*` of a rule. */
  readonly route: string;
  /** Requests, or connections of what is not HTTP. */
  readonly count: number;
}

/** Of all that fall under it, some, or none. */
export type Holds = 'yes' | 'maybe' | 'no';

const FREE = /\{[^/{}]*\}|\*$/;
const EXPRESSION = /[[\]()\\^$|+?]|\.\*/;

/** The paths that a route stands for, in their plainest spelling: templates leave out a slash at the end, and parameters. */
export class ObservedPath {
  readonly isWhole: boolean;
  /** What all of them begin and end with; of a whole path the first is all of it. */
  readonly before: string;
  readonly #after: string;

  constructor(route: string) {
    const isText = route.startsWith('/') && !EXPRESSION.test(route); // an expression, `{other}` and '' may be anything
    const free = isText ? route.search(FREE) : 0;
    this.isWhole = free < 0;
    const ahead = isText && free >= 0 ? route.slice(0, free) : '';
    // `/v1/*` of a rule is `/v1` too.
    this.before = this.isWhole ? route : route.endsWith('/*') && free === route.length - 1 ? ahead.slice(0, -1) : ahead;
    this.#after = isText && free >= 0 ? route.slice(Math.max(route.lastIndexOf('}'), route.lastIndexOf('*')) + 1) : '';
  }

  is(text: string): Holds {
    if (this.isWhole) return text === this.before ? 'yes' : 'no';
    const isOne = text.startsWith(this.before) && text.endsWith(this.#after);
    return isOne && text.length >= this.before.length + this.#after.length ? 'maybe' : 'no';
  }

  startsWith(prefix: string): Holds {
    if (this.before.startsWith(prefix)) return 'yes';
    return !this.isWhole && prefix.startsWith(this.before) ? 'maybe' : 'no';
  }

  endsWith(suffix: string): Holds {
    const end = this.isWhole ? this.before : this.#after;
    if (end.endsWith(suffix)) return 'yes';
    return !this.isWhole && suffix.endsWith(end) ? 'maybe' : 'no';
  }

  /** By whole segments, as a prefix of a route holds. */
  isUnder(prefix: string): Holds {
    const trimmed = prefix.replace(/\/+$/, '');
    return this.before === trimmed ? 'yes' : this.startsWith(trimmed === '' ? '' : `${trimmed}/`);
  }

  lowerCase(): ObservedPath {
    const lower = this.before.toLowerCase() + (this.isWhole ? '' : `{id}${this.#after.toLowerCase()}`);
    return new ObservedPath(lower);
  }
}

/** The surest of several of which one is enough; `no` of none. */
export function any(all: readonly Holds[]): Holds {
  return all.includes('yes') ? 'yes' : all.includes('maybe') ? 'maybe' : 'no';
}
