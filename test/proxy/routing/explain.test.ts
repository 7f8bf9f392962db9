import { expect, test } from 'vitest';
import { explainRoute } from '../../../proxy/routing/explain.ts';
import { compileExpression } from '../../../proxy/routing/expressions.ts';
import { DescribedRouteRequest } from '../../../proxy/routing/request.ts';
import { exactly, match, pathMatch, rule, table, WEB } from './support.ts';

test('every match is told why it won, lost or failed', () => {
  const routes = table(
    rule({ name: 'any' }),
    rule({ name: 'path', matches: [pathMatch('exact', '/b')] }),
    rule({ name: 'prefix', matches: [pathMatch('prefix', '/a')] }),
    rule({ name: 'header', matches: [match({ path: { type: 'prefix', value: '/a' }, headers: [exactly('x', '1')] })] }),
    rule({ name: 'tenth', matches: [match({ path: { type: 'prefix', value: '/a' }, method: 'GET', percent: 10 })] }),
  );
  const request = new DescribedRouteRequest({ method: 'GET', path: '/a/c?q', headers: [['X', '2']] });
  const { winners, considered } = explainRoute(routes, request, WEB);
  expect(winners.map(({ compiled, share }) => [compiled.rule.origin.name, share])).toEqual([
    ['tenth', 0.1],
    ['prefix', 0.9],
  ]);
  expect(considered.map(({ rule: { origin }, outcome, why }) => `${origin.name} ${outcome}: ${why}`)).toEqual([
    'path failed: path is "/a/c", and is to be exact "/b"',
    'tenth won: all it asks for holds, and 10 % fall under it',
    'header failed: header x is "2", and is to be exact "1"',
    'prefix won: all it asks for holds',
    'any lost: HTTPRoute shop/prefix rule-1 goes first: characters of the path or service',
  ]);
});

test('no rule for a request is no winner, and a long table is cut', () => {
  const all = Array.from({ length: 20 }, (_, i) => rule({ name: `r${i}`, matches: [pathMatch('exact', `/${i}`)] }));
  const request = new DescribedRouteRequest({ method: 'GET', path: '/x', headers: [] });
  const { winners, considered, leftOut } = explainRoute(table(...all), request, WEB, 5);
  expect([winners.length, considered.length, leftOut]).toEqual([0, 5, 15]);
});

test('an expression that explodes elsewhere takes time in proportion to the text', () => {
  const test = compileExpression('(a+)+$')!;
  const tookUs = (length: number) => {
    const text = `${'a'.repeat(length)}b`;
    const times = Array.from({ length: 9 }, () => {
      const start = process.cpuUsage().user + process.cpuUsage().system;
      for (let i = 0; i < 20; i++) expect(test(text)).toBe(false);
      return process.cpuUsage().user + process.cpuUsage().system - start;
    });
    return Math.min(...times);
  };
  tookUs(1_000);
  // Eight times the text: 8 in a straight line, 64 squared, and never over if it backtracks.
  expect(tookUs(16_000) / Math.max(1, tookUs(2_000))).toBeLessThan(32);
});

test('an expression is about the whole text, and one that cannot be read is none', () => {
  expect(compileExpression('a|ab')!('ab')).toBe(true);
  expect(compileExpression('b')!('abc')).toBe(false);
  expect(compileExpression('é')!('\xc3\xa9')).toBe(true);
  expect(compileExpression('(')).toBeUndefined();
  expect(compileExpression('(a)\\1')).toBeUndefined();
});
