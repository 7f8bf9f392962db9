/** YAML as coloured pieces, line by line: keys, values, numbers, strings, comments. Enough for reading; it parses nothing. Pure. @module */
export interface Token {
  readonly kind: 'key' | 'string' | 'number' | 'word' | 'sign' | 'comment' | 'text';
  readonly text: string;
}

export function yamlTokens(text: string): Token[][] {
  let blockIndent = -1; // inside `|` or `>` every line that is indented further is text
  return text.split('\n').map((line) => {
    const indent = line.search(/\S/);
    if (blockIndent >= 0 && (indent === -1 || indent > blockIndent)) return [{ kind: 'string', text: line }];
    blockIndent = -1;
    if (/(^|[:-]\s)\s*[|>][+-]?\d?\s*(#.*)?$/.test(line)) blockIndent = Math.max(0, indent);
    return lineTokens(line);
  });
}

const KEY = /^(\s*(?:- +)*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s#:'"\-[{][^:#]*?|[^\s#:'"[{][^:#]*?)(\s*:)(?=\s|$)/;

function lineTokens(line: string): Token[] {
  if (/^\s*#/.test(line)) return [{ kind: 'comment', text: line }];
  if (/^(---|\.\.\.)\s*$/.test(line)) return [{ kind: 'sign', text: line }];
  const key = KEY.exec(line);
  if (key === null) {
    const dash = /^(\s*(?:- +|-$)*)/.exec(line)![0];
    return [...some('sign', dash), ...valueTokens(line.slice(dash.length))];
  }
  return [
    ...some('sign', key[1]!),
    { kind: 'key', text: key[2]! },
    { kind: 'sign', text: key[3]! },
    ...valueTokens(line.slice(key[0].length)),
  ];
}

const VALUE = /("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')|((?:^|\s)#.*$)|([[\]{},]|[|>][+-]?(?=\s*$))|(\s+)|([^\s[\]{},]+)/g;

function valueTokens(text: string): Token[] {
  return [...text.matchAll(VALUE)].map(([whole, quoted, comment, sign, space]): Token => {
    if (quoted !== undefined) return { kind: 'string', text: whole };
    if (comment !== undefined) return { kind: 'comment', text: whole };
    if (sign !== undefined) return { kind: 'sign', text: whole };
    if (space !== undefined) return { kind: 'text', text: whole };
    if (/^-?[\d.]+(%|[a-z]{1,3})?$/i.test(whole)) return { kind: 'number', text: whole };
    return { kind: /^(true|false|null|~)$/.test(whole) ? 'word' : 'text', text: whole };
  });
}

function some(kind: Token['kind'], text: string): Token[] {
  return text === '' ? [] : [{ kind, text }];
}
