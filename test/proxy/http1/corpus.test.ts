/** What others wrote about HTTP/1.1: llhttp's own cases, and a collection of messages that parsers disagree about. @module */

import { describe, expect, test } from 'vitest';
import { REASONS, type ReasonCode } from '../../../proxy/reasons.ts';
import { type AmbiguityCase, type LlhttpCase, loadCorpus } from './corpus.ts';
import { byteByByte, type Reading, readMessages } from './read-messages.ts';

const ambiguity = loadCorpus<AmbiguityCase>('http1/ambiguity.jsonl');
const llhttp = loadCorpus<LlhttpCase>('http1/llhttp.jsonl');

/** A parser alone sees nothing of these: they are about what a connection does with bytes that nobody asked for. */
const BEYOND_THE_PARSER =
  /^resp\/response-(interim\/(101-unasked|flood|only-interim-then-close)|framing\/(extra-crlf|head-with-body))$/;

/** Where Weft takes the other safe choice: it refuses instead of repairing. */
const REFUSED_INSTEAD: Record<string, string> = {
  'resp/response-syntax/space-before-colon': 'space-before-colon',
};

/** Wherever the input is cut, the outcome is that of the whole. Long inputs are cut at line ends only. */
function expectCutsAgree(kind: 'request' | 'response', input: Buffer, whole: Reading, toHead: boolean): void {
  const outcome = (pieces: Buffer[]): unknown => {
    const { messages, refusal } = readMessages(kind, pieces, { toHead });
    return { messages, refusal };
  };
  const expected = { messages: whole.messages, refusal: whole.refusal };
  expect(outcome(byteByByte(input))).toEqual(expected);
  for (let cut = 1; cut < input.length; cut++) {
    if (input.length > 1_200 && input[cut] !== 0x0d && input[cut] !== 0x0a) continue;
    expect(outcome([input.subarray(0, cut), input.subarray(cut)]), `cut at ${cut}`).toEqual(expected);
  }
}

describe.skipIf(ambiguity === undefined)('messages that parsers disagree about', () => {
  const cases = (ambiguity ?? []).filter((entry) => !BEYOND_THE_PARSER.test(entry.id));
  test.each(cases.map((entry) => [entry.id, entry] as const))('%s', (_id, entry) => {
    const input = Buffer.from(entry.inputBase64, 'base64');
    const toHead = entry.requestMethod === 'HEAD';
    const whole = readMessages(entry.kind, [input], { toHead });
    if (entry.id in REFUSED_INSTEAD) {
      expect(entry.mayReject).toBe(true);
      expect(whole.refusal).toBe(REFUSED_INSTEAD[entry.id]);
    } else if (entry.recommended === 'reject') {
      // A message cut off by the end of input is refused by the connection, not by the parser.
      const refused =
        whole.refusal !== undefined || (entry.endOfInput === true && !whole.messages.at(-1)?.complete) || isHeld(whole);
      expect(refused, JSON.stringify(whole)).toBe(true);
      if (entry.kind === 'request' && whole.refusal !== undefined && entry.status !== undefined) {
        expect([entry.status].flat()).toContain(REASONS[whole.refusal as ReasonCode].status);
      }
    } else {
      expect(whole.refusal).toBeUndefined();
      const read = whole.messages.filter((message) => message.complete);
      if (entry.kind === 'request' && entry.expectedForwarded !== undefined) {
        const reached = entry.expectedForwarded.map((request) =>
          Buffer.from(request.bodyBase64, 'base64').toString('latin1'),
        );
        expect(read.map((message) => message.body).slice(0, reached.length)).toEqual(reached);
      }
    }
    expectCutsAgree(entry.kind, input, whole, toHead);
  });
});

/** Bytes of a head that can only become a refusal once more arrives, such as a first line without its end. */
function isHeld(reading: Reading): boolean {
  return !reading.idle && reading.refusal === undefined;
}

/**
 * Where Weft refuses what llhttp accepts, and the cases it may happen in. A case refused for a reason that is not listed
 * for it fails.
 */
const STRICTER: Record<string, RegExp> = {
  'missing-host': /^llhttp\/request\//, // a parser need not ask for Host, a server must
  'bad-host': /sample\/(curl-get|firefox-get)$/, // `Host: 0.0.0.0=5000`
  'connect-not-supported': /connect|uri\/underscore/,
  'bad-target':
    /method\/(connect|m-search)|uri\/(fragment|host|query-url|underscore)|sample\/extended|pri-|chunked-as-last/,
  // Not HTTP; bytes of another protocol after an upgrade; an empty line before a status line.
  'bad-version':
    /ice|rtsp|connection\/(upgrade-|http-(101|304-with-content|100))|response-starting-with-crlf|response\/pipelining/,
  'bad-request-line': /no-http-version$/,
  'bad-transfer-encoding': /transfer-encoding/,
  'unknown-transfer-encoding': /transfer-encoding/,
  'unsupported-version': /http-version-0-9|pri-request/,
  'length-and-encoding': /transfer-encoding/,
  'bad-expectation': /expect/,
  'bad-status-line': /extra-space/,
};

/** Refused by llhttp, read by Weft: methods are an open set, and what follows a closing message is not looked at. */
const WIDER = /announce-method$|explicit-close|keep-alive-is-off|keep-alive-disabled|setting-flag-on-close/;

describe.skipIf(llhttp === undefined)("llhttp's own cases in strict mode", () => {
  const cases = (llhttp ?? []).filter((entry) => entry.mode === 'strict');
  test.each(cases.map((entry) => [entry.id, entry] as const))('%s', (_id, entry) => {
    const input = Buffer.from(entry.inputBase64, 'base64');
    const whole = readMessages(entry.kind, [input]);
    expectCutsAgree(entry.kind, input, whole, false);
    if (entry.expect === 'reject') {
      if (!WIDER.test(entry.id)) expect(whole.refusal !== undefined || isHeld(whole), JSON.stringify(whole)).toBe(true);
      return;
    }
    if (whole.refusal !== undefined) {
      expect(STRICTER[whole.refusal]?.test(entry.id) ?? false, `refused as ${whole.refusal}`).toBe(true);
      return;
    }
    for (const [i, message] of whole.messages.entries()) {
      const theirs = entry.messages[i];
      expect(message.fields).toEqual(theirs?.headers.map(([name, value]) => [name, value.replace(/[ \t]+$/, '')]));
      // The harness of this one case tells its parser that the first response has no body.
      if (theirs?.complete && !entry.id.endsWith('content-length-reset-when-no-body-is-received'))
        expect(message.body).toBe(Buffer.from(theirs.bodyBase64 ?? '', 'base64').toString('latin1'));
    }
  });
});
