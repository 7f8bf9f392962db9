/**
 * A file of frames that are only ever appended: length, CRC-32, bytes. What a crash left of the last frame is skipped, and
 * said; what is damaged further up costs the rest of its segment, because frames lean on those before them.
 * @module
 */
import { open, readFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

const HEAD_BYTES = 8;
/** Of one frame; a larger length is damage. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024;

/** As they were appended. `tornBytes` follow the last one that is whole. */
export interface Frames {
  readonly frames: readonly Buffer[];
  readonly tornBytes: number;
}

/** @returns bytes that the file grew by. Rejects as the file system does; then part of the frame may have been written */
export async function appendFrame(file: string, bytes: Uint8Array): Promise<number> {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(bytes.length, 0);
  head.writeUInt32LE(crc32(bytes), 4);
  const handle = await open(file, 'a', 0o600);
  try {
    await handle.appendFile(Buffer.concat([head, bytes]));
  } finally {
    await handle.close();
  }
  return HEAD_BYTES + bytes.length;
}

/** Rejects as the file system does. */
export async function readFrames(file: string): Promise<Frames> {
  const bytes = await readFile(file);
  const frames: Buffer[] = [];
  let at = 0;
  while (at + HEAD_BYTES <= bytes.length) {
    const length = bytes.readUInt32LE(at);
    const end = at + HEAD_BYTES + length;
    if (length > MAX_FRAME_BYTES || end > bytes.length) break;
    const frame = bytes.subarray(at + HEAD_BYTES, end);
    if (crc32(frame) !== bytes.readUInt32LE(at + 4)) break;
    frames.push(frame);
    at = end;
  }
  return { frames, tornBytes: bytes.length - at };
}
