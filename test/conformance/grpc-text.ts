/** Messages of one text each, `message { string message = 1; }`, in the framing of gRPC. @module */

export function writeMessage(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  const message = Buffer.concat([Buffer.from([0x0a]), varint(bytes.length), bytes]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

/** @param body one frame, not compressed */
export function readMessage(body: Buffer): string {
  if (body.length < 5) return '';
  let at = 6; // flags, length, and the tag of the only field
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = body[at++];
    if (byte === undefined) return '';
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return body.toString('utf8', at, at + length);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left >>>= 7) {
    if (left < 0x80) {
      bytes.push(left);
      return Buffer.from(bytes);
    }
    bytes.push((left & 0x7f) | 0x80);
  }
}
