import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig, parseConfig } from '../../agent/config.ts';
import { type Machine, thisMachine } from '../../agent/machine.ts';

const machine: Machine = {
  hostname: 'here',
  cores: 4,
  configDirectory: '/c',
  stateDirectory: '/s',
  runDirectory: '/r',
};

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-config-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function mistakes(text: string): string[] {
  const parsed = parseConfig(text, 'agent.yaml');
  if (parsed.ok) throw new Error('was accepted');
  return parsed.problems.map(({ line, column, field, message }) => `${line}:${column} ${field}: ${message}`);
}

test('without a file every setting has a default', () => {
  const config = loadConfig(undefined, machine);
  expect(config).toMatchObject({
    nodeName: 'here',
    nodeNameGiven: false,
    workers: 4,
    dataDirectory: '/s',
    workloadsDirectory: '/c/workloads.d',
    admin: { socket: '/r/agent.sock', listen: '127.0.0.1:15000' },
    metrics: { listen: '127.0.0.1:15020' },
    capture: { mode: 'namespace' },
    log: { level: 'info' },
  });
});

test('the configuration survives the way to a thread', () => {
  const config = loadConfig(undefined, machine);
  expect(structuredClone(config)).toEqual(config);
});

test('what the file says wins, and relative paths count from its directory', () => {
  const file = join(directory, 'agent.yaml');
  writeFileSync(file, 'nodeName: n1\nworkers: 2\ndataDirectory: data\nadmin:\n  socket: a.sock\n');
  const config = loadConfig(file, machine);
  expect(config).toMatchObject({ nodeName: 'n1', nodeNameGiven: true, workers: 2, file });
  expect(config.dataDirectory).toBe(join(directory, 'data'));
  expect(config.gossip.dataDirectory).toBe(join(directory, 'data'));
  expect(config.proxy.node).toBe('n1');
  expect(config.admin.socket).toBe(join(directory, 'a.sock'));
});

test('a section whose lines are all commented out is an absent section', () => {
  expect(parseConfig('admin:\n  # listen: 127.0.0.1:1\nlog:\n', 'agent.yaml').ok).toBe(true);
  expect(parseConfig('', 'agent.yaml').ok).toBe(true);
  expect(parseConfig('# nothing yet\n', 'agent.yaml').ok).toBe(true);
});

test('a mistyped field is refused with its place and the nearest known name', () => {
  const [mistake] = mistakes('nodeName: n1\nadmin:\n  sokcet: /run/x.sock\n');
  expect(mistake).toMatch(/^3:3 admin\.sokcet: unknown field; did you mean socket\?/);
});

test('a value out of bounds names field, value, bound and default', () => {
  expect(mistakes('workers: 0\n')).toEqual(['1:1 workers: 0 is too small; set it to 1 or more']);
  expect(mistakes('log:\n  level: inof\n')).toEqual([
    '2:3 log.level: inof is not known; did you mean info? Allowed: trace, debug, info, warn, error, fatal, or leave it out for the default info',
  ]);
});

test('a rule about two fields of a layer points at the one to change', () => {
  expect(mistakes('gossip:\n  seeds: []\n  suspicionMinMs: 9000\n')).toEqual([
    '3:3 gossip.suspicionMinMs: set it to suspicionMaxMs or less',
  ]);
});

test('a setting of a layer is checked like our own', () => {
  expect(mistakes('proxy:\n  upstream: {maxAttemps: 3}\n')[0]).toMatch(
    /^2:14 proxy\.upstream\.maxAttemps: unknown field; did you mean maxAttempts\?/,
  );
  expect(mistakes('gossip: {seeds: [nowhere]}\n')[0]).toMatch(/^1:18 gossip\.seeds\[0\]: write host:port/);
});

test('a header of credentials is not kept as a name, and users have to be named by something', () => {
  const [credential] = mistakes('telemetry: { userHeader: authorization }\n');
  expect(credential).toMatch(/^1:14 telemetry\.userHeader: holds a credential.* userClaim/);
  expect(mistakes('telemetry: { userHeader: cookie }\n')).toHaveLength(1);
  expect(mistakes('telemetry: { sampleUsers: [ada] }\n')[0]).toMatch(
    /telemetry\.sampleUsers: .*userHeader or userClaim/,
  );
  expect(parseConfig('telemetry: { userClaim: sub, sampleUsers: [ada] }\n', 'agent.yaml').ok).toBe(true);
});

test('a value of the wrong type names what was found and what is meant', () => {
  expect(mistakes('workers: many\n')[0]).toBe('1:1 workers: many is not a number; set it to a number');
  expect(mistakes('nodeName: 1.10\n')[0]).toContain('write "1.10" in quotes');
  expect(mistakes('- a\n')[0]).toContain('is not a group of fields');
});

test('every mistake of a file is listed, not only the first', () => {
  expect(mistakes('workers: 0\nzone: 5\nfoo: 1\n')).toHaveLength(3);
});

test('broken YAML names line and column', () => {
  const file = join(directory, 'agent.yaml');
  writeFileSync(file, 'nodeName: n1\nadmin:\n\tlisten: x\n');
  expect(() => loadConfig(file, machine)).toThrow(/agent\.yaml:3:1: not valid YAML/);
  expect(() => loadConfig(file, machine)).toThrow(expect.objectContaining({ code: 'WEFT_AGENT_CONFIG_INVALID' }));
});

test('a field given twice is refused', () => {
  expect(mistakes('workers: 1\nworkers: 2\n')[0]).toMatch(/^2:1 .*unique/i);
});

test('a file of aliases that would grow without bound is refused', () => {
  const lines = ['a0: &a0 [x,x,x,x,x,x,x,x,x,x]'];
  for (let i = 1; i < 9; i += 1)
    lines.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(',')}]`,
    );
  expect(mistakes(`${lines.join('\n')}\n`)[0]).toMatch(/not usable YAML/);
});

test('the admin API may not leave the machine', () => {
  expect(mistakes('admin:\n  listen: 0.0.0.0:15000\n')[0]).toMatch(/^2:3 admin\.listen: .*use 127\.0\.0\.1/);
  expect(mistakes('admin:\n  listen: localhost:15000\n')[0]).toMatch(/not address:port/);
  expect(parseConfig('admin: {listen: "[::1]:15000"}', 'agent.yaml').ok).toBe(true);
});

test('a file that is not there is an error that says so', () => {
  expect(() => loadConfig(join(directory, 'absent.yaml'), machine)).toThrow(
    expect.objectContaining({ code: 'WEFT_AGENT_CONFIG_UNREADABLE', message: expect.stringContaining('absent.yaml') }),
  );
});

test('a host name always gives a usable node name', () => {
  expect(parseConfig(`nodeName: ${thisMachine().hostname}`, 'agent.yaml').ok).toBe(true);
});
