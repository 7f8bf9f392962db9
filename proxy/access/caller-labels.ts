/**
 * The labels that the register has for callers, found by identity and address.
 *
 * An identity may be shared by pods of different labels; the address tells which of them calls. Where it tells nothing, as
 * behind address translation, the caller may be any of them.
 * @module
 */

type Labels = Readonly<Record<string, string>>;

/** What is read of an endpoint. */
export interface Labelled {
  readonly id: string;
  readonly identity: string;
  readonly address: string;
  readonly labels: Labels;
}

export class CallerLabels {
  /** Raised by every change, so that who remembers an answer knows when to ask again. */
  version = 0;
  readonly #byIdentity = new Map<string, Map<string, Labels>>();
  /** By 'identity address'. */
  readonly #byPlace = new Map<string, Map<string, Labels>>();

  /** Labels of every workload that may call so; empty where none is known. */
  of(identity: string, address: string): readonly Labels[] {
    const known = this.#byPlace.get(`${identity} ${address}`) ?? this.#byIdentity.get(identity);
    return known === undefined ? [] : [...known.values()];
  }

  /** @param before what the register had under the same id */
  replace(before: Labelled | undefined, after: Labelled | undefined): void {
    if (before !== undefined && after !== undefined && isSame(before, after)) return;
    this.version++;
    if (before !== undefined) {
      remove(this.#byIdentity, before.identity, before.id);
      remove(this.#byPlace, `${before.identity} ${before.address}`, before.id);
    }
    if (after !== undefined) {
      add(this.#byIdentity, after.identity, after);
      add(this.#byPlace, `${after.identity} ${after.address}`, after);
    }
  }
}

function isSame(a: Labelled, b: Labelled): boolean {
  const names = Object.keys(a.labels);
  return (
    a.identity === b.identity &&
    a.address === b.address &&
    names.length === Object.keys(b.labels).length &&
    names.every((name) => Object.hasOwn(b.labels, name) && a.labels[name] === b.labels[name])
  );
}

function add(to: Map<string, Map<string, Labels>>, key: string, { id, labels }: Labelled): void {
  const known = to.get(key);
  if (known === undefined) to.set(key, new Map([[id, labels]]));
  else known.set(id, labels);
}

function remove(from: Map<string, Map<string, Labels>>, key: string, id: string): void {
  const known = from.get(key);
  if (known?.delete(id) && known.size === 0) from.delete(key);
}
