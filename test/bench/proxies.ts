/** A set of proxies under test: where load enters, and which processes carry it. @module */
export interface Proxies extends AsyncDisposable {
  readonly url: string;
  readonly pids: readonly number[];
}
