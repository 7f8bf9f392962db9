/** Issuers with real desks, files and listeners, and a mesh between them that a test can cut. @module */
import { generateKeyPairSync } from 'node:crypto';
import { pino } from 'pino';
import type { AuditRecord } from '../../../agent/audit/entry.ts';
import { IssuerDesk } from '../../../agent/join/desk.ts';
import { IssuerDirectory, issuerNote } from '../../../agent/join/issuers.ts';
import { JoinListener } from '../../../agent/join/listener.ts';
import { type Answer, decodeAnswer, encodeQuestion } from '../../../agent/join/messages.ts';
import { UsedTokens } from '../../../agent/join/used-tokens.ts';
import { createCsr } from '../../../certs/csr.ts';
import { loadIssuer } from '../../../certs/issuer.ts';
import type { NodeIdentity } from '../../../certs/node-bundle.ts';
import { loadOperatorBundle } from '../../../certs/operator-bundle.ts';
import { Revocations } from '../../../certs/revocation.ts';
import { createToken, type TokenOptions } from '../../../certs/token.ts';
import { createTrustDomain } from '../../../certs/trust-domain.ts';
import type { HostPort } from '../../../gossip/edge/address.ts';
import type { Member } from '../../../gossip/view.ts';
import { addNode, HOUR_MS, TemporaryDirectory, TRUST_DOMAIN } from '../../certs/trust.ts';

export class Town implements AsyncDisposable {
  readonly directory = new TemporaryDirectory();
  readonly node: NodeIdentity;
  readonly offices: Office[] = [];
  /** Pairs of offices that cannot hear each other, as `a b`. */
  readonly cuts = new Set<string>();
  /** Other members, known to all. */
  readonly strangers: Member[] = [];
  revocations = new Revocations();
  nowMs: () => number = Date.now;

  constructor() {
    const nowMs = Date.now();
    const trustDirectory = this.directory.sub('trust');
    createTrustDomain({ trustDomain: TRUST_DOMAIN, directory: trustDirectory, nowMs: nowMs - 2 * HOUR_MS });
    this.node = addNode(this.directory, { name: 'first', grant: ['ns/shop/*'], nowMs, ttlMs: HOUR_MS });
  }

  async open(...names: string[]): Promise<Office[]> {
    for (const name of names) this.offices.push(await Office.open(this, name));
    this.meet();
    return this.offices;
  }

  token(options: Partial<TokenOptions> = {}): string {
    const operator = loadOperatorBundle(this.directory.sub('trust'));
    const usual = { grant: ['ns/shop/*'], ttlMs: 600_000, nowMs: this.nowMs(), roots: this.node.trust.roots };
    return createToken(operator, { ...usual, ...options });
  }

  cut(a: string, b: string): void {
    this.cuts.add(`${a} ${b}`).add(`${b} ${a}`);
    this.meet();
  }

  heal(): void {
    this.cuts.clear();
    this.meet();
  }

  /** Everybody sees who is there now. */
  meet(): void {
    for (const office of this.offices) {
      const members = this.offices.map(({ name, note }) => {
        const isSelf = name === office.name;
        return member(name, isSelf || !this.cuts.has(`${office.name} ${name}`) ? 'alive' : 'dead', isSelf, note);
      });
      office.issuers.update([...members, ...this.strangers], Date.now());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { listener, uses } of this.offices) {
      await listener.close();
      await uses.flush();
    }
    this.directory[Symbol.dispose]();
  }
}

export class Office {
  readonly name: string;
  readonly issuers: IssuerDirectory;
  readonly uses: UsedTokens;
  readonly desk: IssuerDesk;
  readonly note: Uint8Array;
  readonly audited: AuditRecord[] = [];
  listener!: JoinListener;

  private constructor(town: Town, name: string) {
    this.name = name;
    const issuer = loadIssuer(town.directory.sub('trust'));
    const trust = () => town.node.trust;
    const log = pino({ level: process.env.WEFT_TEST_LOG ?? 'silent' });
    this.issuers = new IssuerDirectory(trust);
    this.uses = new UsedTokens(town.directory.sub(`used-${name}.json`), Date.now());
    this.note = issuerNote(issuer, name, '127.0.0.1:15012');
    this.desk = new IssuerDesk({
      node: name,
      issuer,
      trust,
      revocations: () => town.revocations,
      issuers: this.issuers,
      uses: this.uses,
      members: () => [...town.offices, ...town.strangers].map((one) => one.name),
      call: (to, question) => {
        const other = town.offices.find((office) => office.name === to);
        if (other === undefined || town.cuts.has(`${name} ${to}`)) return Promise.reject(new Error('cut off'));
        return other.desk.fromMember(question, { from: name, publicKey: undefined });
      },
      nodeTtlMs: HOUR_MS,
      graceMs: HOUR_MS,
      log,
      record: (what) => this.audited.push(what),
      nowMs: () => town.nowMs(),
    });
  }

  static async open(town: Town, name: string): Promise<Office> {
    const office = new Office(town, name);
    const issuer = loadIssuer(town.directory.sub('trust'));
    const log = pino({ level: 'silent' });
    const { desk } = office;
    office.listener = await JoinListener.start({
      listen: '127.0.0.1:0',
      issuer: () => issuer,
      trust: () => town.node.trust,
      desk,
      log,
    });
    return office;
  }

  get address(): HostPort {
    return { host: '127.0.0.1', port: Number(this.listener.address.split(':')[1]) };
  }

  /** What a joiner with a new key hears at the door. */
  async knock(token: string, name = 'n1', keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })): Promise<Answer> {
    const question = encodeQuestion({ kind: 'join', token, csr: createCsr(keys.privateKey, name), name });
    return decodeAnswer(await this.desk.atTheDoor(question, { from: 'test', publicKey: undefined }))!;
  }

  /** In a word. */
  async hear(token: string, name?: string): Promise<string> {
    const answer = await this.knock(token, name);
    return answer.kind === 'refused' ? answer.reason : answer.kind;
  }
}

export function member(name: string, state: Member['state'], isSelf = false, issuer?: Uint8Array): Member {
  const common = { name, state, address: '', epoch: 1, incarnation: 0, endpoints: 0, sinceMs: 0, isSelf };
  return issuer === undefined ? common : { ...common, issuer };
}
