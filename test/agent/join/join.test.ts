import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import tls from 'node:tls';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { renewIfExpired } from '../../../agent/identity/late-renewal.ts';
import { RememberedIssuers } from '../../../agent/identity/remembered.ts';
import { join, renewAtListener } from '../../../agent/join/client.ts';
import { decider } from '../../../agent/join/issuers.ts';
import { decodeAnswer, encodeQuestion, type TokenUse } from '../../../agent/join/messages.ts';
import { MAX_KEPT, UsedTokens } from '../../../agent/join/used-tokens.ts';
import { loadNodeBundle } from '../../../certs/node-bundle.ts';
import { Revocations } from '../../../certs/revocation.ts';
import { parseToken } from '../../../certs/token.ts';
import { parseChain, verifyChain } from '../../../certs/verify.ts';
import { addNode, HOUR_MS, makeNode, mint, TemporaryDirectory } from '../../certs/trust.ts';
import { member, type Office, Town } from './office.ts';

let town: Town;
let [a, b, c]: [Office, Office, Office] = [] as never;

beforeEach(async () => {
  town = new Town();
  [a, b, c] = (await town.open('a', 'b', 'c')) as [Office, Office, Office];
});
afterEach(() => town[Symbol.asyncDispose]());

describe('a machine that has nothing but a token', () => {
  test('becomes a node whose bundle an agent accepts, and whose key never left it', async () => {
    const directory = town.directory.sub('n7');
    const joined = await join({ token: town.token(), address: a.address, directory, name: 'n7' });
    expect(joined).toMatchObject({ name: 'n7', grant: ['ns/shop/*'], trustDomain: 'test.example' });
    expect(loadNodeBundle(directory)).toMatchObject({ name: 'n7', grant: ['ns/shop/*'] });
    expect(readdirSync(directory).sort()).toEqual(['node.crt', 'node.key', 'roots.crt']);
    expect(statSync(`${directory}/node.key`).mode & 0o777).toBe(0o600);
  });

  test('hands it to nobody but an issuer of that mesh', async () => {
    using elsewhere = new TemporaryDirectory();
    const foreign = makeNode(elsewhere, { name: 'impostor' });
    const svid = mint(town.node);
    const heard: string[] = [];
    const nodeKey = town.node.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const pem = (chain: readonly { toString(): string }[]): string => chain.join('');
    const shown: Record<string, { cert: string; key: string }> = {
      'a node of the mesh': { cert: pem([...town.node.chain, ...town.node.trust.roots]), key: nodeKey },
      'a workload of the mesh': {
        cert: svid.certificateChainPem + pem(town.node.trust.roots),
        key: svid.privateKeyPem,
      },
      'another mesh of the same name': {
        cert: pem([...foreign.chain, ...foreign.trust.roots]),
        key: foreign.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      },
    };
    for (const [who, credential] of Object.entries(shown)) {
      const server = tls.createServer({ ...credential, minVersion: 'TLSv1.3' }, (socket) => {
        socket.on('data', () => heard.push(who)).on('error', () => {});
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as { port: number };
      const directory = town.directory.sub('never');
      const joining = join({ token: town.token(), address: { host: '127.0.0.1', port }, directory, name: 'n7' });
      await expect(joining, who).rejects.toThrow('no issuer of the mesh');
      expect(existsSync(directory)).toBe(false);
      server.close();
    }
    expect(heard).toEqual([]);
  });

  test('may try again with the same key, when the answer was lost', async () => {
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const token = town.token();
    expect((await a.knock(token, 'n7', keys)).kind).toBe('issued');
    expect((await b.knock(token, 'n7', keys)).kind).toBe('issued');
  });

  test('is told what is wrong, and nothing is written', async () => {
    const directory = town.directory.sub('n7');
    const expired = town.token({ nowMs: Date.now() - 2 * HOUR_MS });
    const options = { address: a.address, directory, name: 'n7' };
    await expect(join({ ...options, token: expired })).rejects.toThrow('the token expired at');
    await expect(join({ ...options, token: 'weft-join-1.AAAA' })).rejects.toThrow('not a join token');
    await expect(join({ ...options, token: town.token({ name: 'n8' }) })).rejects.toThrow('for n8, not for n7');
    expect(existsSync(directory)).toBe(false);
  });
});

describe('a token', () => {
  test('is good once, whichever issuers see it, and also after they were started again', async () => {
    const token = town.token();
    expect(await a.hear(token, 'n1')).toBe('issued');
    for (const office of [a, b, c]) expect(await office.hear(token, 'n2')).toBe('used');
    const again = new UsedTokens(town.directory.sub('used-a.json'), Date.now());
    expect(again.all()).toEqual(a.uses.all());
    expect(statSync(town.directory.sub('used-a.json')).mode & 0o777).toBe(0o600);
  });

  test('that several issuers see at the same instant is good at one of them', async () => {
    for (let round = 0; round < 20; round++) {
      const token = town.token();
      const heard = await Promise.all([a, b, c].map((office, i) => office.hear(token, `n${round}-${i}`)));
      expect(heard.toSorted()).toEqual(['issued', 'used', 'used']);
    }
  });

  test('is not decided about while the issuer that decides does not answer', async () => {
    const token = town.token();
    const chosen = decider(parseToken(token)!.id, ['a', 'b', 'c'])!;
    const [asked] = [a, b, c].filter(({ name }) => name !== chosen);
    town.cuts.add(`${asked!.name} ${chosen}`); // not yet noticed
    expect(await asked!.hear(token)).toBe('busy');
    town.meet(); // noticed
    expect(await asked!.hear(token)).toBe('issued');
  });

  test('used on both sides of a cut is found out when it heals: the earlier stays, the later gets nothing any more', async () => {
    town.cut('a', 'b');
    town.cut('a', 'c');
    const token = town.token();
    const keys = [1, 2].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }));
    let nowMs = Date.now();
    town.nowMs = () => ++nowMs;
    const [first, second] = [await a.knock(token, 'n1', keys[0]), await b.knock(token, 'n2', keys[1])];
    expect([first.kind, second.kind]).toEqual(['issued', 'issued']);
    town.heal();
    await a.desk.compareWith('b');
    await c.desk.compareWith('a');
    for (const { desk } of [a, b, c]) {
      expect(desk.conflicts()).toMatchObject([{ kept: { node: 'n1' }, refused: { node: 'n2' } }]);
      const renewals = [first, second].map((answer, i) => {
        const chain = answer.kind === 'issued' ? answer.chain : [];
        const publicKey = keys[i]!.publicKey.export({ type: 'spki', format: 'der' });
        const heard = desk.renew({ kind: 'renew', chain }, { publicKey, from: 'test' }, 0);
        return heard.kind === 'refused' ? heard.reason : heard.kind;
      });
      expect(renewals).toEqual(['issued', 'used-twice']);
    }
    for (const { audited } of [a, b, c]) {
      expect(audited).toContainEqual(expect.objectContaining({ reason: 'token-used-twice', name: 'n2' }));
    }
    expect(a.audited[0]).toMatchObject({
      event: 'joined',
      name: 'n1',
      operator: expect.stringContaining('/operator/admin'),
    });
  });

  test('that was altered, or is of an operator called back, is refused', async () => {
    const token = town.token();
    const bytes = Buffer.from(token.slice(12), 'base64url');
    const at = bytes.indexOf('ns/shop/*');
    bytes.write('ns/bank/*', at);
    expect(await a.hear(`weft-join-1.${bytes.toString('base64url')}`)).toBe('signature');
    town.revocations = new Revocations([{ subject: 'spiffe://test.example/operator/admin', beforeMs: Date.now() }]);
    expect(await a.hear(token)).toBe('operator');
  });

  test('without a name does not let a joiner take the name of a node there is; one with that name does', async () => {
    town.strangers.push(member('n7', 'dead'));
    expect(await a.hear(town.token(), 'n7')).toBe('name-taken');
    expect(await a.hear(town.token(), 'n8')).toBe('issued');
    expect(await a.hear(town.token(), 'n8')).toBe('name-taken'); // joined a moment ago, and not yet seen
    expect(await a.hear(town.token(), '../x')).toBe('wrong-name');
    expect(await a.hear(town.token({ name: 'n7' }), '')).toBe('issued');
  });

  test('of a name that another joiner asks for in the same moment has to wait', async () => {
    const heard = await Promise.all([town.token(), town.token()].map((token) => a.hear(token, 'n1')));
    expect(heard.toSorted()).toEqual(['busy', 'issued']);
  });

  test('is remembered among thousands, of which the oldest that nobody can use any more make room', async () => {
    const uses = new UsedTokens(town.directory.sub('many.json'), 0);
    const use = (i: number): TokenUse => {
      const token = i.toString(16).padStart(32, '0');
      return { token, key: token.repeat(2), node: `n${i}`, atMs: i, madeAtMs: i, expiresAtMs: i < 10 ? i : 1e9 };
    };
    await uses.merge(
      Array.from({ length: MAX_KEPT }, (_, i) => use(i)),
      1e6,
    );
    expect(uses.size).toBe(MAX_KEPT);
    for (let i = 0; i < 10; i++) expect(await uses.claim(use(10_000 + i), 1e6)).toBe('claimed');
    expect(await uses.claim(use(20_000), 1e6)).toBe('full');
    expect(uses.all().some(({ node }) => node === 'n9')).toBe(false);
    expect(await uses.claim({ ...use(10), key: 'f'.repeat(64) }, 1e6)).toBe('used');
  });

  test('is refused by an issuer that lost what it knew, when it is older than that', async () => {
    const file = town.directory.sub('lost.json');
    writeFileSync(file, '{"version":1,"uses":[{');
    const uses = new UsedTokens(file, 5_000);
    expect(uses.damage).toBeDefined();
    const use = { token: '0'.repeat(32), key: '1'.repeat(64), node: 'n', atMs: 6_000, expiresAtMs: 9_000 };
    expect(await uses.claim({ ...use, madeAtMs: 4_999 }, 6_000)).toBe('forgotten');
    expect(await uses.claim({ ...use, madeAtMs: 5_000 }, 6_000)).toBe('claimed');
  });
});

describe('renewal', () => {
  const ask = async (office: Office, publicKey: Uint8Array | undefined, chain = town.node.chain): Promise<string> => {
    const question = encodeQuestion({ kind: 'renew', chain: chain.map(({ raw }) => raw) });
    const answer = decodeAnswer(await office.desk.fromMember(question, { from: 'first', publicKey }))!;
    return answer.kind === 'refused' ? answer.reason : answer.kind;
  };
  const ownKey = (): Uint8Array => town.node.chain[0]!.publicKey.export({ type: 'spki', format: 'der' });

  test('gives the same name, grant and key, for as long again', async () => {
    const answer = await renewAtListener(town.node, a.address);
    const chain = answer.kind === 'issued' ? parseChain(answer.chain) : [];
    if (!Array.isArray(chain)) throw new Error(chain.detail);
    const [before, after] = [town.node.chain[0]!, chain[0]!];
    expect(after.subjectAltName).toBe(before.subjectAltName);
    expect(after.publicKey.equals(before.publicKey)).toBe(true);
    expect(after.serialNumber).not.toBe(before.serialNumber);
    expect(after.validToDate.getTime()).toBeGreaterThanOrEqual(before.validToDate.getTime());
  });

  test('needs the key of the certificate, not just the certificate', async () => {
    expect(await ask(a, ownKey())).toBe('issued');
    expect(await ask(a, undefined)).toBe('wrong-key');
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'der' });
    expect(await ask(a, other)).toBe('wrong-key');
  });

  test('is refused to a node called back, to another mesh, and to an SVID', async () => {
    const svid = parseChain([]) as never;
    expect(await ask(a, ownKey(), svid)).toBe('no-certificate');
    using elsewhere = new TemporaryDirectory();
    expect(await ask(a, ownKey(), makeNode(elsewhere).chain)).toBe('untrusted-root');
    town.revocations = new Revocations([{ subject: town.node.spiffeId, beforeMs: Date.now() }]);
    expect(await ask(a, ownKey())).toBe('revoked');
    expect(await renewAtListener(town.node, a.address)).toMatchObject({ kind: 'refused', reason: 'revoked' });
  });

  test('does not let a node outrun its revocation: what is renewed counts as of when it was admitted', async () => {
    const revokedAtMs = Date.now() + 60_000;
    town.nowMs = () => revokedAtMs + 60_000; // an issuer that has not heard of it yet
    const answer = await renewAtListener(town.node, a.address);
    const chain = answer.kind === 'issued' ? parseChain(answer.chain) : [];
    if (!Array.isArray(chain)) throw new Error(chain.detail);
    const { trust, spiffeId } = town.node;
    const revocations = new Revocations([{ subject: spiffeId, beforeMs: revokedAtMs }]);
    const options = { trust, role: 'node', nowMs: revokedAtMs + 60_000 } as const;
    expect(verifyChain(chain, options).ok).toBe(true);
    expect(verifyChain(chain, { ...options, revocations })).toMatchObject({ ok: false, reason: 'revoked' });
  });

  test('of an expired certificate is possible at the door for a bounded time, and never over gossip', async () => {
    const nowMs = Date.now() - HOUR_MS / 2;
    const late = addNode(town.directory, { name: 'late', grant: ['ns/shop/sa/web'], nowMs, ttlMs: HOUR_MS / 4 });
    expect(await ask(a, late.chain[0]!.publicKey.export({ type: 'spki', format: 'der' }), late.chain)).toBe('expired');
    expect((await renewAtListener(late, a.address)).kind).toBe('issued');
    town.nowMs = () => Date.now() + HOUR_MS;
    expect(await renewAtListener(late, a.address)).toMatchObject({ kind: 'refused', reason: 'expired' });
  });
});

test('an agent that is started with an expired bundle renews it at an issuer it knew', async () => {
  const endedAtMs = Date.now() - 10 * 60_000;
  const ttlMs = 5 * 60_000;
  addNode(town.directory, { name: 'late', grant: ['ns/shop/*'], nowMs: endedAtMs - ttlMs, ttlMs });
  const bundleDirectory = town.directory.sub('node-late');
  expect(() => loadNodeBundle(bundleDirectory)).toThrow('past its expiry');
  const config = { certs: { bundleDirectory }, dataDirectory: town.directory.path };
  const log = pino({ level: 'silent' });
  await renewIfExpired(config, log);
  expect(() => loadNodeBundle(bundleDirectory)).toThrow('past its expiry'); // it knows nobody
  const remembered = new RememberedIssuers(town.directory.sub('issuers.json'));
  await remembered.remember(['127.0.0.1:1', a.listener.address]);
  await renewIfExpired(config, log);
  expect(loadNodeBundle(bundleDirectory).expiresAtMs).toBeGreaterThan(Date.now());
});

describe('the join listener', () => {
  test('hangs up on those who say nothing of sense, and goes on', async () => {
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01']) {
      const socket = connect({ host: '127.0.0.1', port: a.address.port });
      socket.on('error', () => {}).end(bytes);
      await once(socket, 'close');
    }
    const directory = town.directory.sub('n7');
    await join({ token: town.token(), address: a.address, directory, name: 'n7' });
  });

  test('takes so many connections of one address and no more', async () => {
    const sockets = Array.from({ length: 40 }, () => connect({ host: '127.0.0.1', port: a.address.port }));
    const closed = sockets.map((socket) => {
      return new Promise((resolve) => socket.on('error', () => {}).once('close', resolve));
    });
    await Promise.all(closed.slice(20));
    expect(a.listener.turnedAway).toBeGreaterThanOrEqual(19);
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  });
});

test('what is between issuers is not for other members', async () => {
  const use = { token: '0'.repeat(32), key: '1'.repeat(64), node: 'n', atMs: Date.now(), madeAtMs: 0, expiresAtMs: 0 };
  const questions = [{ kind: 'claim', use } as const, { kind: 'uses', uses: [use] } as const];
  for (const question of questions) {
    const answer = await a.desk.fromMember(encodeQuestion(question), { from: 'first', publicKey: undefined });
    expect(decodeAnswer(answer)).toMatchObject({ kind: 'refused', reason: 'not-an-issuer' });
    const atTheDoor = await a.desk.atTheDoor(encodeQuestion(question), { from: '127.0.0.1', publicKey: undefined });
    expect(decodeAnswer(atTheDoor)).toMatchObject({ kind: 'refused', reason: 'malformed' });
  }
  expect(a.uses.size).toBe(0);
});

test('a member that only claims to be an issuer is not one, and neither is one with the proof of another', () => {
  town.strangers.push(member('liar', 'alive', false, Buffer.from('I am')), member('thief', 'alive', false, b.note));
  town.meet();
  expect(a.issuers.all().map(({ name }) => name)).toEqual(['a', 'b', 'c']);
});

test('no file of an issuer holds a token', async () => {
  const token = town.token();
  await a.hear(token);
  const files = readdirSync(town.directory.path).filter((name) => name.startsWith('used-'));
  for (const file of files) expect(readFileSync(town.directory.sub(file), 'utf8')).not.toContain(token.slice(-40));
});
