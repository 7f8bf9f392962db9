/**
 * All of an agent that has to do with node certificates while it runs: who it is, renewing that, noticing a replaced
 * bundle, and, on an issuer, the desk and its door.
 * @module
 */
import type { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { writePublic } from '../../certs/files.ts';
import { type Issuer, loadIssuer } from '../../certs/issuer.ts';
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import type { Revocations } from '../../certs/revocation.ts';
import { issuerFor } from '../../certs/root-rotation.ts';
import { toPem } from '../../certs/trust-bundle.ts';
import { trustDomainFiles } from '../../certs/trust-domain.ts';
import { formatHostPort, ownAddress, parseHostPort } from '../../gossip/edge/address.ts';
import type { Member } from '../../gossip/view.ts';
import { parseSocketAddress } from '../addresses.ts';
import type { AuditRecord } from '../audit/entry.ts';
import type { AgentConfig } from '../config.ts';
import { AgentError } from '../errors.ts';
import { renewAtListener } from '../join/client.ts';
import { type DeskStats, IssuerDesk } from '../join/desk.ts';
import { IssuerDirectory, issuerNote } from '../join/issuers.ts';
import { JoinListener } from '../join/listener.ts';
import { type Answer, decodeAnswer, encodeAnswer, encodeQuestion, refused } from '../join/messages.ts';
import { type Conflict, UsedTokens } from '../join/used-tokens.ts';
import { BundleWatch } from './bundle-watch.ts';
import { IdentityHolder } from './holder.ts';
import { type NodeLife, nodeLife } from './life.ts';
import { RememberedIssuers } from './remembered.ts';
import { type RenewalView, Renewer, type Way } from './renewer.ts';

/** What this needs of the mesh thread. */
export interface CertificateMesh {
  members(): readonly Member[];
  /** Asks another member. Rejects when no answer comes. */
  call(node: string, question: Uint8Array): Promise<Uint8Array>;
  declareIssuer(note: Uint8Array): void;
}

export interface CertificatesOptions {
  readonly config: Pick<AgentConfig, 'certs' | 'dataDirectory' | 'gossip'>;
  readonly node: NodeIdentity;
  readonly revocations: () => Revocations;
  /** Somebody wrote into the bundle directory. */
  readonly bundleChanged: () => void;
  /** Into the audit trail. */
  readonly record: (what: AuditRecord) => void;
  readonly log: Logger;
}

export interface CertificatesView {
  readonly life: NodeLife;
  readonly renewal: RenewalView;
  /** Why the bundle on disk is not the one in use; empty when it is. */
  readonly bundleProblem: string;
  /** Names of nodes that are issuers and alive, this one included. */
  readonly issuers: readonly string[];
  /** On issuers only. */
  readonly desk:
    | { readonly stats: DeskStats; readonly conflicts: readonly Conflict[]; readonly address: string }
    | undefined;
}

export const REMEMBERED_FILE = 'issuers.json';
const COMPARE_MS = 15_000;

export class Certificates implements AsyncDisposable {
  readonly holder: IdentityHolder;
  readonly #options: CertificatesOptions;
  readonly #owned = new AsyncDisposableStack();
  readonly #issuers: IssuerDirectory;
  readonly #remembered: RememberedIssuers;
  #issuer: Issuer | undefined;
  #mesh: CertificateMesh | undefined;
  #desk: IssuerDesk | undefined;
  #listener: JoinListener | undefined;
  #renewer: Renewer | undefined;

  constructor(options: CertificatesOptions) {
    const { config, node, log } = options;
    this.#options = options;
    this.holder = new IdentityHolder({ directory: config.certs.bundleDirectory, identity: node, log });
    this.#issuers = new IssuerDirectory(() => this.holder.current.trust);
    this.holder.onChange(() => this.#issuers.forget());
    this.#remembered = new RememberedIssuers(join(config.dataDirectory, REMEMBERED_FILE));
  }

  /** Call once the mesh is there. @throws CertsError or AgentError when this is to be an issuer and cannot be */
  async start(mesh: CertificateMesh): Promise<void> {
    const { config, log } = this.#options;
    this.#mesh = mesh;
    if (config.certs.issuerDirectory !== undefined)
      await this.#openDesk(loadIssuer(config.certs.issuerDirectory), mesh);
    const ways = (isExpired: boolean): readonly Way[] => this.#ways(mesh, isExpired);
    this.#renewer = this.#owned.use(new Renewer({ holder: this.holder, ways, log, random: Math.random }));
    const changed = (): void => {
      this.holder.reload();
      this.#options.bundleChanged();
    };
    this.#owned.use(new BundleWatch({ directory: config.certs.bundleDirectory, changed, log }));
    this.members(mesh.members());
  }

  /** The list of members changed. */
  members(members: readonly Member[]): void {
    if (!this.#issuers.update(members, Date.now())) return;
    const addresses = this.#issuers.all().flatMap(({ joinAddress, isSelf }) => (isSelf ? [] : [joinAddress]));
    this.#remembered
      .remember(addresses.filter((address) => address !== ''))
      .catch((err: unknown) => this.#options.log.warn({ err }, 'the addresses of issuers could not be saved'));
    this.#renewer?.issuersChanged();
    this.#compare();
  }

  /** Asks for a certificate now; resolves when one came, or nobody gave one. */
  async renewNow(): Promise<void> {
    await this.#renewer?.renewNow();
  }

  /** As `renewNow`, at some moment of the next seconds; not at all where nobody could give one. */
  renewSoon(): void {
    if (this.#issuers.all().length > 0) this.#renewer?.renewSoon();
  }

  /** A root certified these issuers anew: if this is one of them, it uses that certificate, also after a restart. */
  issuersCertified(issuers: readonly X509Certificate[]): void {
    const { config, log } = this.#options;
    const held = this.#issuer;
    if (held === undefined) return;
    const issuer = this.#issuerNow(held, issuers);
    const { trust } = this.holder.current;
    const certificate = issuerFor(issuers, issuer.certificate.publicKey, { trust, nowMs: Date.now() });
    if (certificate === undefined || certificate.raw.equals(held.certificate.raw)) return;
    this.#issuer = { ...issuer, certificate, expiresAtMs: certificate.validToDate.getTime() };
    try {
      writePublic(trustDomainFiles(config.certs.issuerDirectory!).issuerCertificate, toPem([certificate]));
    } catch (err) {
      log.warn({ err }, 'the new certificate of this issuer is not saved; it is taken from the mesh at each start');
    }
    this.#declare(this.#issuer);
    log.info({ expiresAt: certificate.validToDate.toISOString() }, 'this issuer was certified anew');
  }

  /** With another key, if somebody put that of an issuer named here into the directory. */
  #issuerNow(issuer: Issuer, issuers: readonly X509Certificate[]): Issuer {
    const isNamed = ({ certificate: { publicKey } }: Issuer): boolean =>
      issuers.some((one) => one.publicKey.equals(publicKey));
    if (isNamed(issuer)) return issuer;
    try {
      const loaded = loadIssuer(this.#options.config.certs.issuerDirectory!);
      return isNamed(loaded) ? loaded : issuer;
    } catch (err) {
      this.#options.log.error({ err }, 'the directory of the issuer cannot be read; its former key stays in use');
      return issuer;
    }
  }

  /** A member asks over gossip. */
  async answer(
    caller: { readonly name: string; readonly publicKey: Uint8Array },
    question: Uint8Array,
  ): Promise<Uint8Array> {
    if (this.#desk === undefined) return encodeAnswer(refused('not-an-issuer', 'this node is no issuer'));
    return this.#desk.fromMember(question, { from: caller.name, publicKey: caller.publicKey });
  }

  view(): CertificatesView {
    const desk = this.#desk;
    return {
      life: nodeLife(this.holder.current),
      renewal: this.#renewer?.view() ?? { renewals: 0, failures: 0, dueAtMs: 0, problem: '' },
      bundleProblem: this.holder.problem,
      issuers: this.#issuers.all().flatMap(({ name, isAlive, isSelf }) => (isAlive || isSelf ? [name] : [])),
      desk: desk && { stats: desk.stats, conflicts: desk.conflicts(), address: this.#listener?.address ?? '' },
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }

  async #openDesk(issuer: Issuer, mesh: CertificateMesh): Promise<void> {
    const { config, revocations, record, log } = this.#options;
    const { name: node, trustDomain } = this.holder.current;
    const trust = () => this.holder.current.trust;
    this.#issuer = issuer;
    const held = (): Issuer => this.#issuer ?? issuer;
    if (issuer.trustDomain !== trustDomain) throw new AgentError('WEFT_AGENT_ISSUER_UNTRUSTED', issuer.file);
    const uses = new UsedTokens(join(config.dataDirectory, 'used-tokens.json'), Date.now());
    if (uses.damage !== undefined) {
      log.error({ err: uses.damage }, 'what was known of used tokens is lost; tokens made until now are refused');
    }
    this.#owned.defer(() => uses.flush());
    const desk = new IssuerDesk({
      node,
      get issuer() {
        return held();
      },
      trust,
      revocations,
      issuers: this.#issuers,
      uses,
      members: () => mesh.members().map(({ name }) => name),
      call: (to, question) => mesh.call(to, question),
      nodeTtlMs: config.certs.nodeTtlMs,
      graceMs: config.certs.renewalGraceMs,
      record,
      log,
    });
    const { listen } = config.certs.join;
    if (listen !== '')
      this.#listener = this.#owned.use(await JoinListener.start({ listen, issuer: held, trust, desk, log }));
    this.#desk = desk;
    this.#declare(issuer);
    const timer = setInterval(() => this.#compare(), COMPARE_MS).unref();
    this.#owned.defer(() => clearInterval(timer));
    log.info({ listen: this.#listener?.address ?? '' }, 'this node is an issuer');
  }

  #declare(issuer: Issuer): void {
    this.#mesh?.declareIssuer(issuerNote(issuer, this.holder.current.name, this.#joinAddress()));
  }

  /** Where others reach the listener: as they reach our gossip, unless it is bound to one address. */
  #joinAddress(): string {
    const bound = parseSocketAddress(this.#listener?.address ?? '');
    if (bound === undefined) return '';
    const isAny = bound.address === '0.0.0.0' || bound.address === '::';
    const advertised = isAny ? parseHostPort(this.#options.config.gossip.advertise ?? '')?.host : undefined;
    return formatHostPort({ host: advertised ?? ownAddress(bound.address), port: bound.port });
  }

  /** Issuers compare used tokens when they meet, and now and then. */
  #compare(): void {
    for (const { name } of this.#desk === undefined ? [] : this.#issuers.others()) {
      this.#desk?.compareWith(name).catch((err: unknown) => {
        this.#options.log.debug({ err, issuer: name }, 'used tokens could not be compared');
      });
    }
  }

  /** An expired certificate opens no link of gossip; join listeners take it for a while. */
  #ways(mesh: CertificateMesh, isExpired: boolean): readonly Way[] {
    const others = shuffled(this.#issuers.others());
    const seen = others.map(({ joinAddress }) => joinAddress);
    const addresses = [...new Set([...seen, ...shuffled(this.#remembered.addresses)])].filter((one) => one !== '');
    const links = isExpired ? [] : others.slice(0, 3).map(({ name }) => overGossip(name, mesh));
    return [...this.#atHome(), ...links, ...addresses.map(atListener)];
  }

  #atHome(): Way[] {
    const desk = this.#desk;
    if (desk === undefined) return [];
    const ask = async ({ chain, name }: NodeIdentity): Promise<Answer> => {
      const publicKey = chain[0]!.publicKey.export({ type: 'spki', format: 'der' });
      const { renewalGraceMs } = this.#options.config.certs;
      return desk.renew(renewal(chain), { publicKey, from: name }, renewalGraceMs);
    };
    return [{ name: 'this node', ask }];
  }
}

function overGossip(issuer: string, mesh: CertificateMesh): Way {
  return {
    name: `${issuer} over gossip`,
    ask: async ({ chain }) => decoded(await mesh.call(issuer, encodeQuestion(renewal(chain)))),
  };
}

function atListener(text: string): Way {
  return {
    name: `join listener ${text}`,
    ask: async (identity) => {
      const address = parseHostPort(text);
      return address === undefined ? refused('malformed', 'not an address') : renewAtListener(identity, address);
    },
  };
}

function renewal(chain: NodeIdentity['chain']) {
  return { kind: 'renew', chain: chain.map(({ raw }) => raw) } as const;
}

function decoded(bytes: Uint8Array): Answer {
  return decodeAnswer(bytes) ?? refused('malformed', 'an answer that this version does not know');
}

function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
