/** DNS messages for tests, written here without the code under test. @module */

export interface QueryOptions {
  readonly id?: number;
  readonly type?: number;
  readonly class?: number;
  /** The datagram size the client announces; undefined: no EDNS. */
  readonly edns?: number;
  readonly ednsVersion?: number;
}

/** A standard query with recursion desired, the name in the letters given. */
export function query(name: string, options: QueryOptions = {}): Buffer {
  const { id = 1, type = 1, class: klass = 1, edns, ednsVersion = 0 } = options;
  const labels = name === '' ? [] : name.split('.');
  const bytes = [id >> 8, id & 0xff, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, edns === undefined ? 0 : 1];
  for (const label of labels) bytes.push(label.length, ...Buffer.from(label, 'latin1'));
  bytes.push(0, type >> 8, type & 0xff, klass >> 8, klass & 0xff);
  if (edns !== undefined) bytes.push(0, 0, 41, edns >> 8, edns & 0xff, 0, ednsVersion, 0, 0, 0, 0);
  return Buffer.from(bytes);
}
