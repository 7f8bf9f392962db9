/** What applications behind Weft may be sent, read by a grammar of the tests' own. @module */

/** A request as the recorder reads it; undefined where bytes are no complete request of the strictest form. */
export interface Recorded {
  method: string;
  target: string;
  fields: [string, string][];
  body: string;
  trailers: [string, string][];
}

/** Reads what Weft may send and nothing else. Throws on anything looser; returns the rest when a request is incomplete. */
export function readStrict(input: string): { requests: Recorded[]; rest: string } {
  const requests: Recorded[] = [];
  let rest = input;
  for (;;) {
    const headEnd = rest.indexOf('\r\n\r\n');
    if (headEnd === -1) return { requests, rest };
    const [line, ...lines] = rest.slice(0, headEnd).split('\r\n');
    const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP\/1\.1$/.exec(line!);
    if (match === null) throw new Error(`request line ${JSON.stringify(line)}`);
    const fields = lines.map(readField);
    const all = (name: string): string[] =>
      fields.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
    if (all('host').length !== 1) throw new Error(`${all('host').length} Host fields`);
    const coding = all('transfer-encoding');
    const length = all('content-length');
    if (coding.length + length.length > 1) throw new Error('framed twice');
    let at = headEnd + 4;
    let body = '';
    const trailers: [string, string][] = [];
    if (coding.length === 1) {
      if (coding[0]!.toLowerCase() !== 'chunked') throw new Error(`coding ${coding[0]}`);
      for (;;) {
        const size = /^([0-9a-f]{1,8})\r\n/.exec(rest.slice(at, at + 12));
        if (size === null) {
          if (rest.length - at > 10) throw new Error(`chunk size ${JSON.stringify(rest.slice(at, at + 12))}`);
          return { requests, rest };
        }
        at += size[0].length;
        const bytes = Number.parseInt(size[1]!, 16);
        if (bytes === 0) break;
        if (rest.length < at + bytes + 2) return { requests, rest };
        body += rest.slice(at, at + bytes);
        if (rest.slice(at + bytes, at + bytes + 2) !== '\r\n') throw new Error('chunk without its end');
        at += bytes + 2;
      }
      for (;;) {
        const end = rest.indexOf('\r\n', at);
        if (end === -1) return { requests, rest };
        const trailer = rest.slice(at, end);
        at = end + 2;
        if (trailer === '') break;
        trailers.push(readField(trailer));
      }
    } else if (length.length === 1) {
      if (!/^[0-9]+$/.test(length[0]!)) throw new Error(`length ${length[0]}`);
      if (rest.length < at + Number(length[0])) return { requests, rest };
      body = rest.slice(at, at + Number(length[0]));
      at += Number(length[0]);
    }
    requests.push({ method: match[1]!, target: match[2]!, fields, body, trailers });
    rest = rest.slice(at);
  }
}

function readField(line: string): [string, string] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
  const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*$/.exec(line);
  if (match === null) throw new Error(`field ${JSON.stringify(line)}`);
  return [match[1]!, match[2]!];
}
