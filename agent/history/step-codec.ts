/**
 * A step as bytes. Strings and labels are written once a segment, where they first occur; a row then names them by number, so
 * it takes some 20 bytes before compression. Who reads must have read the segment from its beginning.
 * @module
 */
import { BUCKETS } from '../../proxy/telemetry/histogram.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import {
  addCount,
  emptyMeasures,
  LABELS,
  labelsKey,
  type Measures,
  type RowLabels,
  SCALAR,
  SCALARS,
  type Step,
} from './rows.ts';

/** A segment that knows more than this is ended. */
const MAX_LABELS = 50_000;

/** Strings and labels of a segment by number. */
export class Book {
  readonly strings: string[] = [];
  readonly labels: RowLabels[] = [];
  readonly #numberOf = new Map<string, number>();
  readonly #labelsNumberOf = new Map<string, number>();

  get isFull(): boolean {
    return this.labels.length > MAX_LABELS;
  }

  string(text: string): number {
    return numberOf(this.#numberOf, text, () => this.strings.push(text) - 1);
  }

  label(labels: RowLabels): number {
    return numberOf(this.#labelsNumberOf, labelsKey(labels), () => this.labels.push(labels) - 1);
  }
}

function numberOf(known: Map<string, number>, key: string, add: () => number): number {
  let number = known.get(key);
  if (number === undefined) {
    number = add();
    known.set(key, number);
  }
  return number;
}

/** Adds what is new in this step to the book. */
export function encodeStep({ atMs, rows }: Step, book: Book): Buffer {
  const [knownStrings, knownLabels] = [book.strings.length, book.labels.length];
  const body = new ByteWriter();
  body.number(rows.length);
  for (const { labels, measures } of rows) {
    for (const label of LABELS) book.string(labels[label]);
    body.number(book.label(labels));
    writeMeasures(body, measures, (name) => book.string(name));
  }
  const head = new ByteWriter();
  head.number(atMs);
  head.number(book.strings.length - knownStrings);
  for (const text of book.strings.slice(knownStrings)) head.string(text);
  head.number(book.labels.length - knownLabels);
  for (const labels of book.labels.slice(knownLabels)) {
    for (const label of LABELS) head.number(book.string(labels[label]));
  }
  head.append(body);
  return head.bytes();
}

/** Where to add a row up: figures and buckets from these places on. */
export interface Target {
  readonly scalars: Float64Array;
  readonly latency: Float64Array;
  readonly reasons: Map<string, number>;
  readonly statuses: Map<string, number>;
}
export interface Place {
  readonly target: Target;
  readonly scalarsAt: number;
  readonly latencyAt: number;
  /** Whether its bytes count; others may hold them too. */
  readonly hasBytes: boolean;
  /** Hears of each status of this row as well. */
  readonly heard?: ((status: string, count: number) => void) | undefined;
}

/**
 * Adds to the book what the step added to it when it was written. For each step of a segment, in order.
 *
 * @returns the instant of the step
 * @throws RangeError for what is no step
 */
export function learnStep(bytes: Uint8Array, book: Book): number {
  const reader = new ByteReader(bytes);
  const atMs = reader.number();
  for (let left = reader.count(); left > 0; left--) book.string(reader.string());
  for (let left = reader.count(); left > 0; left--) {
    const values = LABELS.map(() => book.strings[reader.number()] ?? '');
    book.label(Object.fromEntries(LABELS.map((label, i) => [label, values[i]])) as RowLabels);
  }
  return atMs;
}

/**
 * Adds up the rows of a step that the book has learned.
 *
 * @param placeOf where a row with these labels goes, by their number; undefined for those to be left out
 * @throws RangeError for what is no step
 */
export function readStep(bytes: Uint8Array, book: Book, placeOf: (label: number) => Place | undefined): void {
  const reader = new ByteReader(bytes);
  reader.number();
  for (let left = reader.count(); left > 0; left--) reader.skipString();
  for (let left = reader.count() * LABELS.length; left > 0; left--) reader.number();
  const nameOf = (number: number): string => book.strings[number] ?? 'other';
  for (let rows = reader.count(); rows > 0; rows--) addRow(reader, placeOf(reader.number()) ?? NOWHERE, nameOf);
}

export function writeMeasures(writer: ByteWriter, measures: Measures, numberOf: (name: string) => number): void {
  const { scalars, latency, reasons, statuses } = measures;
  let mask = 0;
  for (let i = 0; i < SCALARS; i++) if (scalars[i]! > 0) mask |= 1 << i;
  writer.number(mask);
  for (let i = 0; i < SCALARS; i++) if (scalars[i]! > 0) writer.number(scalars[i]!);
  let filled = 0;
  for (let i = 0; i < BUCKETS; i++) if (latency[i]! > 0) filled++;
  writer.number(filled);
  let last = 0;
  for (let i = 0; i < BUCKETS; i++) {
    if (latency[i]! <= 0) continue;
    writer.number(i - last);
    writer.number(latency[i]!);
    last = i;
  }
  for (const counts of [reasons, statuses]) {
    writer.number(counts.size);
    for (const [name, count] of counts) {
      writer.number(numberOf(name));
      writer.number(count);
    }
  }
}

/** Figures of a later version are read over. */
const ALL_MASK = (1 << SCALARS) - 1;
const BYTES_MASK = (1 << SCALAR.bytesReceived) | (1 << SCALAR.bytesSent);

/** Adds what comes next to a place. @throws RangeError where it is cut short */
export function addRow(
  reader: ByteReader,
  { target: { scalars, latency, reasons, statuses }, scalarsAt, latencyAt, hasBytes, heard }: Place,
  nameOf: (number: number) => string,
): void {
  const taken = hasBytes ? ALL_MASK : ALL_MASK & ~BYTES_MASK;
  const { bytes } = reader;
  let rest = reader.number();
  let at = reader.at;
  for (; rest !== 0; rest &= rest - 1) {
    let value = bytes[at++] ?? 0; // beyond the end: said below
    if (value >= 0x80) {
      reader.at = at - 1;
      value = reader.number();
      at = reader.at;
    }
    const bit = rest & -rest;
    if ((bit & taken) !== 0) scalars[scalarsAt + 31 - Math.clz32(bit)]! += value;
  }
  reader.at = at;
  let left = reader.count();
  at = reader.at;
  for (let bucket = 0; left > 0; left--) {
    let value = bytes[at++] ?? 0;
    if (value >= 0x80) {
      reader.at = at - 1;
      value = reader.number();
      at = reader.at;
    }
    bucket += value;
    value = bytes[at++] ?? 0;
    if (value >= 0x80) {
      reader.at = at - 1;
      value = reader.number();
      at = reader.at;
    }
    if (bucket < BUCKETS) latency[latencyAt + bucket]! += value;
  }
  reader.at = at;
  for (let left = reader.count(); left > 0; left--) addCount(reasons, nameOf(reader.number()), reader.number());
  for (let left = reader.count(); left > 0; left--) {
    const [name, count] = [nameOf(reader.number()), reader.number()];
    addCount(statuses, name, count);
    heard?.(name, count);
  }
}

/** Figures go in and never come out. */
const NOWHERE: Place = { target: emptyMeasures(), scalarsAt: 0, latencyAt: 0, hasBytes: true };
