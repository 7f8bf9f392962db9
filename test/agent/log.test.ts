import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { createLogger, withoutSecrets } from '../../agent/log.ts';

function logger(level: 'debug' | 'warn' = 'debug') {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => lines.push(JSON.parse(line)) };
  return { log: createLogger({ level, node: 'n1', destination }), lines };
}

test('a line is an object with the level as a word, an ISO time and the node', () => {
  const { log, lines } = logger();
  log.info({ workload: 'shop/web' }, 'workload is ready');
  expect(lines).toEqual([
    {
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      node: 'n1',
      workload: 'shop/web',
      msg: 'workload is ready',
    },
  ]);
});

test('lines below the level are not written', () => {
  const { log, lines } = logger('warn');
  log.info('no');
  log.warn('yes');
  expect(lines.map(({ msg }) => msg)).toEqual(['yes']);
});

test('an error is told with its code', () => {
  const { log, lines } = logger();
  log.error({ err: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) }, 'connect failed');
  expect(lines[0]).toMatchObject({ err: { message: 'refused', code: 'ECONNREFUSED' } });
});

test('keys, tokens and credentials are not written, however deep they lie', () => {
  const { log, lines } = logger();
  const secret = {
    privateKeyPem: 'HUSH',
    token: 'HUSH',
    headers: { authorization: 'HUSH', 'set-cookie': 'HUSH', host: 'seen' },
  };
  log.warn({ ...secret, inner: { ...secret, svid: secret } }, 'something');
  log.child({ token: 'HUSH', peer: secret }).info('something');
  expect(JSON.stringify(lines)).not.toContain('HUSH');
  expect(JSON.stringify(lines)).toContain('seen');
});

test('data that refers to itself is cut, not followed for ever', () => {
  const { log, lines } = logger();
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  log.info({ cycle }, 'something');
  expect(JSON.stringify(lines)).toContain('too deep');
});

test('a key object gives nothing away', () => {
  const { log, lines } = logger();
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  log.warn({ privateKey, other: privateKey }, 'something');
  expect(JSON.stringify(lines)).not.toContain(privateKey.export({ format: 'jwk' }).d);
});

test('plain data is copied without secrets at any depth, whatever their spelling', () => {
  const shown = withoutSecrets({ a: [{ b: { c: { Token: 'HUSH', keep: [1, null, 'x'] } } }], PASSWORD: 'HUSH' });
  expect(shown).toEqual({ a: [{ b: { c: { Token: '[redacted]', keep: [1, null, 'x'] } } }], PASSWORD: '[redacted]' });
});
