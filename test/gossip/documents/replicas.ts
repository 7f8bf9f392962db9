/** Replicas of documents without network and cryptography: the pure core, toy operators, and messages one can lose. @module */
import { createHash } from 'node:crypto';
import type { DocumentOptions } from '../../../gossip/documents/documents.ts';
import { Documents } from '../../../gossip/documents/documents.ts';
import type { Hlc } from '../../../gossip/documents/hlc.ts';
import { nextHlc } from '../../../gossip/documents/hlc.ts';
import type { DocumentAuthority } from '../../../gossip/documents/ports.ts';
import type { Held, Revision, RevisionContent } from '../../../gossip/documents/revision.ts';
import { revisionId, revisionStatement } from '../../../gossip/documents/revision.ts';
import type { Context, Effect } from '../../../gossip/effects.ts';
import { emptyCoreStats } from '../../../gossip/stats.ts';
import { SETTINGS, ToySigner } from '../support/world.ts';

export const TRUST_DOMAIN = 'sim.example';
/** When the tests happen, unless they say otherwise. */
export const NOW_MS = 1_800_000_000_000;

export const digest = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

/** An operator whose certificate is its name and scope, and whose signature names it and what it signed. */
export function toySignature(operator: string, statement: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${operator} `), digest(statement)]);
}

/** Certificates are `name kind,kind issued`; '*' is any kind. One that says `stranger` is of another root. */
export class ToyAuthority implements DocumentAuthority {
  nowMs = NOW_MS;
  /** Of every certificate. */
  expiresAtMs = Number.POSITIVE_INFINITY;
  judged = 0;

  judge({
    certificate,
    statement,
    signature,
    atMs,
  }: Parameters<DocumentAuthority['judge']>[0]): ReturnType<DocumentAuthority['judge']> {
    this.judged++;
    const [name = '', kinds = '', issued = '0'] = Buffer.from(certificate).toString().split(' ');
    if (atMs > this.expiresAtMs) return { ok: false, reason: 'certificate', detail: 'expired' };
    if (name === 'stranger') return { ok: false, reason: 'certificate', detail: 'no trusted root signed it' };
    if (!Buffer.from(toySignature(name, statement)).equals(signature)) {
      return { ok: false, reason: 'signature', detail: 'altered' };
    }
    const scope = kinds.split(',');
    const mayWrite = (kind: string): boolean => scope.includes('*') || scope.includes(kind);
    return { ok: true, author: name, issuedAtMs: Number(issued), mayWrite };
  }

  /** Operators whom a root certified that was trusted and is no more. */
  readonly retired = new Set<string>();

  certifies(certificate: Uint8Array): boolean {
    const [name = ''] = Buffer.from(certificate).toString().split(' ');
    return name !== 'stranger' && !this.retired.has(name);
  }

  digest(bytes: Uint8Array): Uint8Array {
    return digest(bytes);
  }

  wallMs(): number {
    return this.nowMs;
  }
}

export function sign(content: RevisionContent, operator = content.author): Held {
  const statement = revisionStatement(TRUST_DOMAIN, content, digest);
  return { id: revisionId(statement, digest), revision: { ...content, signature: toySignature(operator, statement) } };
}

export interface Written {
  readonly name?: string;
  readonly kind?: string;
  readonly base?: Held | undefined;
  readonly text?: string | null;
  readonly author?: string;
  /** When the author was certified. */
  readonly issuedAtMs?: number;
  readonly namespace?: string;
  readonly hlc?: Hlc;
}

/** A revision by an operator that may write everything. */
export function revision({
  name = 'web',
  kind = 'AccessPolicy',
  base,
  text = '{}',
  author = 'alice',
  issuedAtMs = 0,
  namespace = 'shop',
  hlc,
}: Written): Held {
  return sign({
    kind,
    namespace,
    name,
    number: (base?.revision.number ?? 0) + 1,
    base: base?.id ?? '',
    hlc: hlc ?? nextHlc(base?.revision.hlc, NOW_MS),
    author,
    body: text === null ? null : Buffer.from(text),
    certificate: Buffer.from(`${author} * ${issuedAtMs}`),
  });
}

/** One node's documents, with what it asked of the world since the last look. */
export class Replica {
  readonly name: string;
  readonly authority = new ToyAuthority();
  readonly documents: Documents;
  readonly #context: Context;
  readonly links = new Map<string, number>();

  constructor(name: string, options: Partial<DocumentOptions> = {}) {
    this.name = name;
    this.#context = {
      self: name,
      trustDomain: TRUST_DOMAIN,
      settings: SETTINGS,
      signer: new ToySigner(name),
      random: () => 0,
      stats: emptyCoreStats(),
      nowMs: 0,
      out: [],
    };
    const host = { links: () => this.links, partner: () => [...this.links.keys()][0] };
    const given = { authority: this.authority, initial: [], maxDocuments: 10_000, ...options };
    this.documents = new Documents(this.#context, given, host);
  }

  get stats() {
    return this.#context.stats.documents;
  }

  /** Runs one step and takes what came out. */
  step<T>(act: (documents: Documents) => T): { readonly result: T; readonly effects: readonly Effect[] } {
    this.#context.out = [];
    const result = act(this.documents);
    return { result, effects: this.#context.out };
  }

  /** All that is held, comparable: equal texts mean equal replicas. */
  state(): string {
    const chains = [...this.documents.library.chains()].sort(([a], [b]) => (a < b ? -1 : 1));
    return chains.map(([key, chain]) => `${key}: ${chain.held.map(({ id }) => id).join(' ')}`).join('\n');
  }

  head(name = 'web', kind = 'AccessPolicy'): Held | undefined {
    return this.documents.library.get(`${kind}/shop/${name}`)?.head;
  }

  kept(): Revision[] {
    return [...this.documents.library.chains()].flatMap(([, chain]) => chain.held.map((held) => held.revision));
  }
}

/** Carries messages between replicas that are all linked, in order, until none is left; `loses` says which never arrive. */
export function settle(
  replicas: readonly Replica[],
  effects: readonly (readonly [Replica, Effect])[],
  loses: () => boolean,
): void {
  const queue = [...effects];
  for (let steps = 0; queue.length > 0; steps++) {
    if (steps > 100_000) throw new Error('the replicas never come to rest');
    const [from, effect] = queue.shift()!;
    const give = (to: Replica, act: (documents: Documents) => unknown): void => {
      queue.push(...to.step(act).effects.map((one) => [to, one] as const));
    };
    if (effect.kind === 'send') {
      const to = replicas.find(({ name }) => name === effect.to);
      const { message } = effect;
      if (to === undefined || loses() || !message.kind.startsWith('doc')) continue;
      give(to, (documents) => documents.received(from.name, message as Parameters<Documents['received']>[1]));
    } else if (effect.kind === 'broadcast-document') {
      for (const to of replicas) {
        if (to !== from && !loses()) give(to, (documents) => documents.broadcast(effect.revision));
      }
    }
  }
}

/** Every pair compares, as on new links. Sessions and pulls that a loss left open are given up first. */
export function compareAll(replicas: readonly Replica[]): void {
  for (const a of replicas) {
    for (const b of replicas) {
      if (a === b) continue;
      a.documents.firedSession(b.name);
      a.documents.firedPull(b.name);
    }
  }
  for (const a of replicas) {
    for (const b of replicas) {
      if (a === b) continue;
      settle(
        replicas,
        a.step((documents) => documents.linkUp(b.name, true)).effects.map((one) => [a, one]),
        () => false,
      );
    }
  }
}
