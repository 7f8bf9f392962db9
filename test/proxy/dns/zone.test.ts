import { expect, test } from 'vitest';
import { RCODE, readQuery, TYPE, writeAnswer } from '../../../proxy/dns/message.ts';
import type { DnsOutcome } from '../../../proxy/dns/stats.ts';
import { answerMeshName, isMeshName } from '../../../proxy/dns/zone.ts';
import { type QueryOptions, query } from './support.ts';

const SERVICES: Readonly<Record<string, readonly string[]>> = {
  'web.shop.weft': ['240.240.1.2', 'fd57:6566:7400::102'],
  'v4.shop.weft': ['240.240.1.3'],
};
const lookup = (name: string): readonly string[] | undefined => SERVICES[name];

interface Case {
  readonly name: string;
  readonly options?: QueryOptions;
  readonly rcode: number;
  readonly data: readonly string[];
  readonly outcome: DnsOutcome;
}

const V4 = 'f0f00102';
const V6 = 'fd576566740000000000000000000102';

const CASES: readonly Case[] = [
  { name: 'web.shop.weft', rcode: RCODE.NOERROR, data: [V4], outcome: 'answered' },
  { name: 'WEB.sHOp.wEFt', rcode: RCODE.NOERROR, data: [V4], outcome: 'answered' },
  { name: 'web.shop.weft', options: { type: TYPE.AAAA }, rcode: RCODE.NOERROR, data: [V6], outcome: 'answered' },
  { name: 'web.shop.weft', options: { type: TYPE.ANY }, rcode: RCODE.NOERROR, data: [V4, V6], outcome: 'answered' },
  { name: 'v4.shop.weft', options: { type: TYPE.AAAA }, rcode: RCODE.NOERROR, data: [], outcome: 'no-data' },
  { name: 'web.shop.weft', options: { type: 65 }, rcode: RCODE.NOERROR, data: [], outcome: 'no-data' }, // HTTPS
  { name: 'web.shop.svc.cluster.local', rcode: RCODE.NOERROR, data: [V4], outcome: 'answered' },
  { name: 'no.shop.weft', rcode: RCODE.NXDOMAIN, data: [], outcome: 'no-name' },
  { name: 'a.web.shop.weft', rcode: RCODE.NXDOMAIN, data: [], outcome: 'no-name' },
  { name: 'shop.weft', rcode: RCODE.NOERROR, data: [], outcome: 'no-data' }, // names exist below it
  { name: 'weft', rcode: RCODE.NOERROR, data: [], outcome: 'no-data' },
  { name: 'we b.shop.weft', rcode: RCODE.NXDOMAIN, data: [], outcome: 'no-name' },
  { name: 'web.shop.weft', options: { class: 3 }, rcode: RCODE.REFUSED, data: [], outcome: 'refused' },
  { name: 'web.shop.weft', options: { edns: 512, ednsVersion: 1 }, rcode: RCODE.BADVERS, data: [], outcome: 'refused' },
];

test.for(CASES)('$name $options: $outcome', ({ name, options, rcode, data, outcome }) => {
  const asked = readQuery(query(name, options))!;
  expect(isMeshName(asked, lookup)).toBe(true);
  const given = answerMeshName(asked, lookup);
  expect(given.outcome).toBe(outcome);
  expect(given.answer.rcode).toBe(rcode);
  expect(given.answer.answers.map((record) => record.data.toString('hex'))).toEqual(data);
});

test.for(['example.org', 'weft.example.org', 'notweft', 'no.shop.svc.cluster.local', 'web.shop.svc', ''])(
  '%j is not of the mesh',
  (name) => {
    expect(isMeshName(readQuery(query(name))!, lookup)).toBe(false);
  },
);

test('absence says by an SOA how long it may be remembered', () => {
  const asked = readQuery(query('no.shop.weft'))!;
  const { authority } = answerMeshName(asked, lookup).answer;
  expect(authority).toMatchObject([{ type: TYPE.SOA, ttlS: 5 }]);
  expect(authority[0]!.data.readUInt32BE(authority[0]!.data.length - 4)).toBe(5);
  expect(writeAnswer(asked, answerMeshName(asked, lookup).answer, 512).readUInt16BE(8)).toBe(1);
});

test('a malformed query for a name of the mesh is refused, not passed on', () => {
  const asked = readQuery(Buffer.concat([query('web.shop.weft'), Buffer.from('junk')]))!;
  expect(answerMeshName(asked, lookup)).toMatchObject({ outcome: 'refused', answer: { rcode: RCODE.FORMERR } });
});

test('a label with a dot in it is not taken for two', () => {
  const odd = Buffer.concat([
    query('').subarray(0, 12),
    Buffer.from('\x08web.shop\x01x\x04weft\x00\x00\x01\x00\x01', 'latin1'),
  ]);
  const dotted = Buffer.concat([
    query('').subarray(0, 12),
    Buffer.from('\x03web\x09shop.weft\x04weft\x00\x00\x01\x00\x01', 'latin1'),
  ]);
  for (const message of [odd, dotted]) expect(answerMeshName(readQuery(message)!, lookup).outcome).toBe('no-name');
});
