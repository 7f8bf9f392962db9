/**
 * The desk of an issuer: what it decides about joining and renewal, whoever carries the question to it.
 *
 * A token is good once. One issuer decides about it, chosen by hash among those that are in touch; the others ask it. What
 * it decided is on disk before the answer, and told to all issuers.
 * @module
 */
import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import { readCertificate } from '../../certs/certificate.ts';
import { readCsr } from '../../certs/csr.ts';
import { CertsError } from '../../certs/errors.ts';
import { type Issuer, issueNodeCertificate, type NodeRequest } from '../../certs/issuer.ts';
import type { Revocations } from '../../certs/revocation.ts';
import { nodeId, operatorId } from '../../certs/spiffe.ts';
import { parseToken, type Token, verifyToken } from '../../certs/token.ts';
import type { TrustBundle } from '../../certs/trust-bundle.ts';
import { issuedOf, parseChain, verifyChain } from '../../certs/verify.ts';
import type { AuditRecord } from '../audit/entry.ts';
import { messageOf } from '../errors.ts';
import { decider, type IssuerDirectory } from './issuers.ts';
import {
  type Answer,
  type DeskRefusal,
  decodeAnswer,
  decodeQuestion,
  encodeAnswer,
  encodeQuestion,
  MAX_USES,
  type Question,
  refused,
  type TokenUse,
} from './messages.ts';
import type { Conflict, UsedTokens } from './used-tokens.ts';

export interface DeskOptions {
  /** Name of this node. */
  readonly node: string;
  /** As it is now: while a root is rotated it gets another certificate. */
  readonly issuer: Issuer;
  readonly trust: () => TrustBundle;
  readonly revocations: () => Revocations;
  readonly issuers: IssuerDirectory;
  readonly uses: UsedTokens;
  /** Names of all members known, whatever their state. */
  readonly members: () => readonly string[];
  /** Asks another member. Rejects when no answer comes. */
  readonly call: (node: string, question: Uint8Array) => Promise<Uint8Array>;
  /** Life of the certificates it issues. */
  readonly nodeTtlMs: number;
  /** How long after its end a certificate may still be renewed, over the join listener only. */
  readonly graceMs: number;
  readonly log: Logger;
  /** Into the audit trail. */
  readonly record: (what: AuditRecord) => void;
  readonly nowMs?: () => number;
}

/** What an issuer did, for metrics. */
export interface DeskStats {
  joined: number;
  renewed: number;
  /** By reason. */
  readonly refused: Record<string, number>;
}

/** Who asks, and how that is known. */
export interface Asker {
  /** SubjectPublicKeyInfo that the connection proved; undefined for a joiner, who has nothing yet. */
  readonly publicKey: Uint8Array | undefined;
  /** Its address, or the name of the member. */
  readonly from: string;
}

export class IssuerDesk {
  readonly stats: DeskStats = { joined: 0, renewed: 0, refused: {} };
  readonly #options: DeskOptions;
  readonly #nowMs: () => number;
  /** Names that are being decided about. */
  readonly #joining = new Set<string>();

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
  }

  /** Who joined with a token that another one had used before; somebody must look. */
  conflicts(): readonly Conflict[] {
    return this.#options.uses.conflicts();
  }

  /** A question over the join listener. */
  async atTheDoor(bytes: Uint8Array, asker: Asker): Promise<Uint8Array> {
    const question = decodeQuestion(bytes);
    if (question?.kind === 'join') return this.#tell(await this.join(question, asker.from), asker.from);
    if (question?.kind === 'renew') return this.#tell(this.renew(question, asker, this.#options.graceMs), asker.from);
    return this.#tell(refused('malformed', 'not a question for a join listener'), asker.from);
  }

  /** A question of a member, over gossip. */
  async fromMember(bytes: Uint8Array, asker: Asker): Promise<Uint8Array> {
    const question = decodeQuestion(bytes);
    if (question?.kind === 'renew') return this.#tell(this.renew(question, asker, 0), asker.from);
    if (question?.kind !== 'claim' && question?.kind !== 'uses') {
      return this.#tell(refused('malformed', 'not a question for an issuer'), asker.from);
    }
    if (!this.#options.issuers.isIssuer(asker.from)) {
      return this.#tell(refused('not-an-issuer', `${asker.from} has not proved to be one`), asker.from);
    }
    return encodeAnswer(
      question.kind === 'claim' ? await this.#claimHere(question.use) : await this.#compare(question.uses),
    );
  }

  async join({ token: text, csr, name }: Extract<Question, { kind: 'join' }>, from: string): Promise<Answer> {
    const { trust, revocations } = this.#options;
    const nowMs = this.#nowMs();
    const token = parseToken(text);
    if (token === undefined) return no('malformed', 'not a token, or cut short');
    const verdict = verifyToken(token, { trust: trust(), nowMs, revocations: revocations() });
    if (!verdict.ok) return refused(verdict.reason, verdict.detail);
    const publicKey = readCsr(csr);
    if (typeof publicKey === 'string') return no('bad-request', `the certification request ${publicKey}`);
    const node = token.name === '' ? name : token.name;
    const key = keyHash(publicKey.export({ type: 'spki', format: 'der' }));
    // Before the name is judged: the use of the other one may be noted already, and may yet come to nothing.
    if (this.#joining.has(node)) return no('busy', `another joiner of the name ${node} is being decided about`);
    const problem = this.#nameProblem(token, name, node, key);
    if (problem !== undefined) return problem;
    const { notBeforeMs: madeAtMs, expiresAtMs } = token;
    const use: TokenUse = { token: token.id, key, node, atMs: nowMs, madeAtMs, expiresAtMs };
    this.#joining.add(node);
    const claim = await this.#claim(use).finally(() => this.#joining.delete(node));
    if (claim.kind !== 'claimed') return claim;
    const answer = this.#issue({ name: node, grant: token.grant, publicKey });
    if (answer.kind !== 'issued') return answer;
    this.stats.joined++;
    this.#options.record({
      event: 'joined',
      name: node,
      operator: operatorId(token.trustDomain, verdict.author),
      from,
      detail: `granted ${token.grant.join(', ')} with token ${token.id}`,
    });
    this.#options.log.info(
      { joined: node, grant: token.grant, tokenId: token.id, operator: verdict.author, from },
      'a node joined by token',
    );
    return { ...answer, roots: trust().roots.map(({ raw }) => raw) };
  }

  /** The same name and grant for the same key, for as long again. */
  renew({ chain }: Extract<Question, { kind: 'renew' }>, { publicKey, from }: Asker, graceMs: number): Answer {
    const { trust, revocations, uses, log } = this.#options;
    const parsed = parseChain(chain);
    if (!Array.isArray(parsed)) return refused(parsed.reason, parsed.detail);
    const options = { trust: trust(), role: 'node', revocations: revocations() } as const;
    const nowMs = this.#nowMs();
    const now = verifyChain(parsed, { ...options, nowMs });
    // What has just expired is judged as of its last moment; whatever else is wrong with it was wrong then as well.
    const lastMs = parsed[0] === undefined ? 0 : parsed[0].validToDate.getTime();
    const isLate = !now.ok && now.reason === 'expired' && nowMs - lastMs <= graceMs;
    const verdict = isLate ? verifyChain(parsed, { ...options, nowMs: lastMs }) : now;
    if (!verdict.ok) return refused(verdict.reason, verdict.detail);
    const own = parsed[0]!.publicKey;
    const ownKey = own.export({ type: 'spki', format: 'der' });
    if (publicKey === undefined || !ownKey.equals(publicKey)) {
      return no('wrong-key', `the connection did not prove the key of ${verdict.node}`);
    }
    if (uses.isRefused(keyHash(ownKey))) return no('used-twice', `${verdict.node} joined with a token used before`);
    const read = readCertificate(parsed[0]!);
    if (!read.ok) return no('malformed', read.detail);
    const { grant = [] } = read.facts;
    const { issuedAtMs: admittedAtMs } = issuedOf(read);
    const answer = this.#issue({ name: verdict.node, grant, publicKey: own, admittedAtMs });
    if (answer.kind !== 'issued') return answer;
    this.stats.renewed++;
    log.info({ renewed: verdict.node, from, wasExpired: isLate }, 'node certificate renewed');
    return answer;
  }

  /** Compares used tokens with another issuer, which does the same with ours. */
  async compareWith(issuer: string): Promise<void> {
    const question = encodeQuestion({ kind: 'uses', uses: this.#options.uses.all().slice(0, MAX_USES) });
    const answer = decodeAnswer(await this.#options.call(issuer, question));
    if (answer?.kind === 'uses') await this.#merge(answer.uses, issuer);
  }

  #nameProblem(token: Token, wanted: string, node: string, key: string): Answer | undefined {
    const { issuer, members, uses } = this.#options;
    if (token.name !== '' && wanted !== '' && wanted !== token.name) {
      return no('wrong-name', `the token is for ${token.name}, not for ${wanted.slice(0, 253)}`);
    }
    try {
      nodeId(issuer.trustDomain, node);
    } catch (err) {
      return no('wrong-name', messageOf(err));
    }
    if (token.name !== '') return undefined; // its operator named the node, perhaps to replace it
    const before = uses.keyOf(node);
    const isTaken = before === undefined ? members().includes(node) : before !== key;
    if (!isTaken) return undefined;
    return no('name-taken', `there is a node ${node}; to replace it, make a token with --name ${node}`);
  }

  /** Asks whoever decides, which may be this issuer. */
  async #claim(use: TokenUse): Promise<Answer> {
    const { node, issuers, call, log, uses } = this.#options;
    const chosen = decider(use.token, [node, ...issuers.others().map(({ name }) => name)])!;
    if (chosen !== node) {
      const answer = await call(chosen, encodeQuestion({ kind: 'claim', use })).then(decodeAnswer, (err: unknown) => {
        log.warn({ err, issuer: chosen, tokenId: use.token }, 'the issuer that decides about a token did not answer');
      });
      if (answer === undefined) return no('busy', `issuer ${chosen} decides about this token and did not answer`);
      if (answer.kind !== 'claimed') return answer;
    }
    const claim = await uses.claim(use, use.atMs);
    if (claim === 'claimed') this.#spread(use, chosen);
    return claimAnswer(claim);
  }

  async #claimHere(use: TokenUse): Promise<Answer> {
    return claimAnswer(await this.#options.uses.claim(use, this.#nowMs()));
  }

  /** Tells the other issuers at once; who misses it finds it when it compares. */
  #spread(use: TokenUse, except: string): void {
    const question = encodeQuestion({ kind: 'uses', uses: [use] });
    for (const { name } of this.#options.issuers.others()) {
      if (name === except) continue;
      this.#options
        .call(name, question)
        .catch((err: unknown) => this.#options.log.debug({ err, issuer: name }, 'an issuer missed a used token'));
    }
  }

  async #compare(theirs: readonly TokenUse[]): Promise<Answer> {
    const ours = this.#options.uses.all().slice(0, MAX_USES);
    await this.#merge(theirs, 'another issuer');
    return { kind: 'uses', uses: ours };
  }

  async #merge(uses: readonly TokenUse[], from: string): Promise<void> {
    for (const { kept, refused } of await this.#options.uses.merge(uses, this.#nowMs())) {
      const detail = `token ${kept.token}: ${kept.node} used it first, ${refused.node} later`;
      this.#options.record({ event: 'refused', name: refused.node, reason: 'token-used-twice', from, detail });
      this.#options.log.error(
        {
          tokenId: kept.token,
          kept: kept.node,
          refused: refused.node,
          keptAtMs: kept.atMs,
          refusedAtMs: refused.atMs,
          from,
        },
        'a join token was used twice while issuers were apart; the later node gets no certificate any more, revoke it',
      );
    }
  }

  #issue(wanted: Omit<NodeRequest, 'ttlMs' | 'nowMs'>): Answer {
    const { issuer, trust, nodeTtlMs, log } = this.#options;
    try {
      const request = { ...wanted, ttlMs: nodeTtlMs, nowMs: this.#nowMs() };
      const chain = issueNodeCertificate(issuer, trust(), request);
      return { kind: 'issued', chain: chain.map(({ raw }) => raw), roots: [] };
    } catch (err) {
      if (!(err instanceof CertsError)) throw err;
      log.error({ err, member: wanted.name }, 'a node certificate could not be issued');
      return no('busy', 'this issuer cannot sign now; its log says why');
    }
  }

  #tell(answer: Answer, from: string): Uint8Array {
    if (answer.kind === 'refused') {
      const { reason, detail } = answer;
      this.stats.refused[reason] = (this.stats.refused[reason] ?? 0) + 1;
      this.#options.log.warn({ reason, detail, from }, 'a certificate was refused');
    }
    return encodeAnswer(answer);
  }
}

/** @param spki SubjectPublicKeyInfo in DER */
export function keyHash(spki: Uint8Array): string {
  return createHash('sha256').update(spki).digest('hex');
}

function claimAnswer(claim: Awaited<ReturnType<UsedTokens['claim']>>): Answer {
  switch (claim) {
    case 'claimed':
      return { kind: 'claimed' };
    case 'used':
      return no('used', 'this token was used by another node; make a new one');
    case 'forgotten':
      return no('used', 'this issuer lost what it knew of tokens as old as this one; make a new one');
    case 'full':
      return no('busy', 'too many tokens were used lately; try again later');
  }
}

function no(reason: DeskRefusal, detail: string): Answer {
  return refused(reason, detail);
}
