/**
 * What a compiler left in an ELF executable: Go's build information and the names of compilers. Reads headers and two sections, at
 * most 128 kB, whatever the file says of itself. @module
 */
import type { FileHandle } from 'node:fs/promises';

export interface BuildNotes {
  readonly goVersion?: string;
  /** Paths of Go modules. */
  readonly modules: readonly string[];
  /** Lines of `.comment`. */
  readonly compilers: readonly string[];
}

const NOTHING: BuildNotes = { modules: [], compilers: [] };
const MAX_SECTIONS = 256;
const MAX_NAMES_BYTES = 16 * 1024;
const MAX_SECTION_BYTES = 48 * 1024;
const MAX_MODULES = 500;
const GO_MAGIC = Buffer.from('\xff Go buildinf:', 'latin1');
/** Go 1.18 and later write the strings themselves after a header of 32 bytes. */
const GO_INLINE = 2;
const GO_STRINGS = 32;

interface Section {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

/** @returns nothing for what is no 64-bit little-endian ELF file, or is cut short */
export async function readBuildNotes(file: Pick<FileHandle, 'read'>): Promise<BuildNotes> {
  const sections = await sectionsOf(file);
  const read = async (name: string): Promise<Buffer | undefined> => {
    const section = sections.find((one) => one.name === name);
    return section && readAt(file, section.offset, Math.min(section.size, MAX_SECTION_BYTES));
  };
  const go = await read('.go.buildinfo');
  const comment = await read('.comment');
  const compilers =
    comment
      ?.toString('latin1')
      .split('\0')
      .filter((line) => line !== '')
      .slice(0, 16) ?? [];
  return { ...NOTHING, ...(go && goNotes(go)), compilers };
}

async function sectionsOf(file: Pick<FileHandle, 'read'>): Promise<readonly Section[]> {
  const header = await readAt(file, 0, 64);
  const isElf64 = header.length === 64 && header.readUInt32BE(0) === 0x7f454c46 && header[4] === 2 && header[5] === 1;
  if (!isElf64) return [];
  const [tableAt, entryBytes] = [Number(header.readBigUInt64LE(40)), header.readUInt16LE(58)];
  const [count, namesIndex] = [Math.min(header.readUInt16LE(60), MAX_SECTIONS), header.readUInt16LE(62)];
  if (entryBytes !== 64 || namesIndex >= count) return [];
  const table = await readAt(file, tableAt, count * entryBytes);
  if (table.length < count * entryBytes) return [];
  const place = (index: number) => ({
    nameAt: table.readUInt32LE(index * entryBytes),
    offset: Number(table.readBigUInt64LE(index * entryBytes + 24)),
    size: Number(table.readBigUInt64LE(index * entryBytes + 32)),
  });
  const { offset, size } = place(namesIndex);
  const names = await readAt(file, offset, Math.min(size, MAX_NAMES_BYTES));
  return Array.from({ length: count }, (_, index) => {
    const { nameAt, ...where } = place(index);
    const end = names.indexOf(0, nameAt);
    return { ...where, name: names.toString('latin1', nameAt, end === -1 ? nameAt : end) };
  });
}

/** Source: Go's debug/buildinfo. Pointers of Go before 1.18 are not followed. */
function goNotes(section: Buffer): Pick<BuildNotes, 'goVersion' | 'modules'> {
  if (!section.subarray(0, GO_MAGIC.length).equals(GO_MAGIC)) return NOTHING;
  if (((section[15] ?? 0) & GO_INLINE) === 0) return { goVersion: 'go', modules: [] };
  const version = textAt(section, GO_STRINGS);
  const info = textAt(section, version.end);
  const modules = [...info.text.matchAll(/^dep\t([^\t\n]+)/gm)].slice(0, MAX_MODULES).map(([, path]) => path!);
  return { goVersion: version.text.slice(0, 64), modules };
}

/** A length as a varint, then as many bytes. What is beyond the part that was read is cut off. */
function textAt(bytes: Buffer, start: number): { readonly text: string; readonly end: number } {
  let length = 0;
  let at = start;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = bytes[at++] ?? 0;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return { text: bytes.toString('utf8', at, Math.min(at + length, bytes.length)), end: at + length };
}

async function readAt(file: Pick<FileHandle, 'read'>, position: number, length: number): Promise<Buffer> {
  if (!Number.isSafeInteger(position) || position < 0 || length <= 0) return Buffer.alloc(0);
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(length), position });
  return buffer.subarray(0, bytesRead);
}
