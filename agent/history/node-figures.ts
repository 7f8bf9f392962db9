/**
 * What a node answers to a question about figures, and that as bytes. JSON of it would be three times as long, and to write,
 * read and check it took most of the time of a question.
 * @module
 */
import { ByteReader, ByteWriter } from './bytes.ts';

/** Told apart from JSON, which nodes before this one answered, and from what comes after. */
const FORMAT = 2;
const MAX_STEPS = 10_000;
const MAX_LABELS = 8;
const MAX_LABEL_CHARACTERS = 2_048;
const MAX_NAME_CHARACTERS = 64;
const MAX_CLASSES = 16;

export interface NodeFiguresRow {
  /** Of the dimensions asked for, in that order. */
  readonly labels: readonly string[];
  /** Its figures by step; see cells.ts. */
  readonly cells: Uint8Array;
  /** Of the whole range. */
  readonly reasons: ReadonlyMap<string, number>;
  readonly statuses: ReadonlyMap<string, number>;
  /** By class of statuses, a count a step; empty where that was not asked. */
  readonly statusSteps: ReadonlyMap<string, Float64Array>;
}

export interface NodeFigures {
  readonly startMs: number;
  readonly stepMs: number;
  /** By step: milliseconds of it that were counted; 0: nothing is known. */
  readonly coveredMs: readonly number[];
  readonly rows: readonly NodeFiguresRow[];
}

export function encodeFigures({ startMs, stepMs, coveredMs, rows }: NodeFigures): Uint8Array {
  const writer = new ByteWriter();
  writer.number(FORMAT);
  writer.number(startMs);
  writer.number(stepMs);
  writer.number(coveredMs.length);
  for (const ms of coveredMs) writer.number(ms);
  writer.number(rows.length);
  for (const { labels, cells, reasons, statuses, statusSteps } of rows) {
    writer.number(labels.length);
    for (const label of labels) writer.string(label);
    writeCounts(writer, reasons);
    writeCounts(writer, statuses);
    writeSteps(writer, statusSteps);
    writer.block(cells);
  }
  return writer.bytes();
}

/** Cells are read by whoever adds them up. @throws RangeError for bytes that are no figures */
export function decodeFigures(bytes: Uint8Array): NodeFigures {
  const reader = new ByteReader(bytes);
  if (reader.number() !== FORMAT) throw new RangeError('figures of another version');
  const [startMs, stepMs] = [reader.number(), reader.number()];
  const steps = reader.count();
  if (steps < 1 || steps > MAX_STEPS) throw new RangeError(`${steps} steps`);
  const coveredMs = Array.from({ length: steps }, () => reader.number());
  const rows = Array.from({ length: reader.count() }, () => readRow(reader, steps));
  return { startMs, stepMs, coveredMs, rows };
}

function readRow(reader: ByteReader, steps: number): NodeFiguresRow {
  const count = reader.count();
  if (count > MAX_LABELS) throw new RangeError(`${count} labels`);
  const labels = Array.from({ length: count }, () => shortText(reader, MAX_LABEL_CHARACTERS));
  const [reasons, statuses] = [readCounts(reader), readCounts(reader)];
  return { labels, reasons, statuses, statusSteps: readSteps(reader, steps), cells: reader.block() };
}

function writeCounts(writer: ByteWriter, counts: ReadonlyMap<string, number>): void {
  writer.number(counts.size);
  for (const [name, count] of counts) {
    writer.string(name);
    writer.number(count);
  }
}

function readCounts(reader: ByteReader): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (let left = reader.count(); left > 0; left--) counts.set(shortText(reader, MAX_NAME_CHARACTERS), reader.number());
  return counts;
}

function writeSteps(writer: ByteWriter, columns: ReadonlyMap<string, Float64Array>): void {
  writer.number(columns.size);
  for (const [name, counts] of columns) {
    writer.string(name);
    for (const count of counts) writer.number(count);
  }
}

function readSteps(reader: ByteReader, steps: number): ReadonlyMap<string, Float64Array> {
  const columns = new Map<string, Float64Array>();
  const size = reader.count();
  if (size > MAX_CLASSES) throw new RangeError(`${size} classes of statuses`);
  for (let left = size; left > 0; left--) {
    const name = shortText(reader, MAX_NAME_CHARACTERS);
    columns.set(
      name,
      Float64Array.from({ length: steps }, () => reader.number()),
    );
  }
  return columns;
}

function shortText(reader: ByteReader, maxCharacters: number): string {
  const text = reader.string();
  if (text.length > maxCharacters) throw new RangeError(`a text of ${text.length} characters`);
  return text;
}
