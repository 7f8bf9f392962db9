/**
 * The people who write documents in a simulated mesh: they sign revisions with keys that no node has, and hand them to
 * some node. Whoever wants to know what became of their documents watches here.
 * @module
 */
import { nextHlc } from '../../gossip/documents/hlc.ts';
import type { WriteOutcome } from '../../gossip/documents/outcome.ts';
import type { DocumentAuthority, Judgement } from '../../gossip/documents/ports.ts';
import type { DocumentKey, Held, Revision, RevisionContent } from '../../gossip/documents/revision.ts';
import { revisionId, revisionStatement } from '../../gossip/documents/revision.ts';
import { hashText, mix } from '../../gossip/overlay/hash.ts';
import type { Host } from './host.ts';
import type { Process } from './process.ts';
import { certificate, digest, rootOf, signature } from './signer.ts';

export const DOCUMENT_KIND = 'SimPolicy';
export const DOCUMENT_NAMESPACE = 'sim';
const TRUST_DOMAIN = 'sim.example';
/** 1 January 2100. */
const FAR_FUTURE_MS = 4_102_444_800_000;

/** Told what becomes of documents, as it happens. */
export interface DocumentWatcher {
  /** An operator handed this revision to a node. */
  documentWritten?(writer: Process, held: Held, outcome: WriteOutcome): void;
  /** At this node the revision is in force from now on, or still. */
  documentHeld?(viewer: Process, head: Held): void;
  /** This node begins to compile it, to take it into use. */
  documentTried?(viewer: Process, held: Held, isFirst: boolean): void;
  /** It turned out to be unusable there. */
  documentRejected?(viewer: Process, held: Held, isFirst: boolean): void;
  /** This is in use there from now on; '' = nothing. */
  documentUsed?(viewer: Process, key: string, revision: string): void;
}

export interface Draft {
  readonly name: string;
  /** What is in force where it is written. */
  readonly base: Held | undefined;
  /** The operator's clock. */
  readonly wallMs: number;
  readonly isDeletion?: boolean;
  /** Share of the nodes on which it can not be taken into use. */
  readonly poison?: number;
  readonly kilobytes?: number;
}

export function documentKey(name: string): DocumentKey {
  return { kind: DOCUMENT_KIND, namespace: DOCUMENT_NAMESPACE, name };
}

export class Operators {
  readonly watchers: DocumentWatcher[] = [];
  /** All that an operator who was entitled to ever signed, by id. */
  readonly signed = new Map<string, Revision>();
  readonly #seed: number;
  #count = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** As a node of this world judges operators. */
  authority(host: Host, verified: () => void): DocumentAuthority {
    return {
      judge: ({ certificate: shown, statement, signature: given }) => {
        verified();
        return judge(this.#seed, shown, statement, given);
      },
      certifies: (shown) => new TextDecoder().decode(shown).split(' ')[2] === rootOf(this.#seed),
      digest,
      wallMs: () => host.wallMs(),
    };
  }

  sign(draft: Draft): Held {
    const held = seal(this.#seed, this.#content(draft, 'alice', rootOf(this.#seed), '*'));
    this.signed.set(held.id, held.revision);
    return held;
  }

  /** Revisions that nobody may take: of a stranger, by one not entitled, altered after it was signed, from the future. */
  forge(draft: Draft): readonly Held[] {
    const stranger = this.#content(draft, 'mallory', rootOf(this.#seed + 1), '*');
    const unentitled = this.#content(draft, 'bob', rootOf(this.#seed), 'Nothing');
    const altered = seal(this.#seed, this.#content(draft, 'alice', rootOf(this.#seed), '*')).revision;
    const future = this.#content({ ...draft, wallMs: FAR_FUTURE_MS }, 'alice', rootOf(this.#seed), '*');
    const body = new TextEncoder().encode('{"poison":0,"text":"altered"}');
    return [
      seal(this.#seed, stranger),
      seal(this.#seed, unentitled),
      identified({ ...altered, body }),
      seal(this.#seed, future),
    ];
  }

  #content(draft: Draft, name: string, root: string, scope: string): RevisionContent {
    const { base, wallMs, isDeletion = false, poison = 0, kilobytes = 0.3 } = draft;
    const text = `${++this.#count} `.padEnd(Math.round(kilobytes * 1_024), '.');
    return {
      ...documentKey(draft.name),
      number: (base?.revision.number ?? 0) + 1,
      base: base?.id ?? '',
      hlc: nextHlc(base?.revision.hlc, wallMs),
      author: authorOf(name),
      body: isDeletion ? null : new TextEncoder().encode(JSON.stringify({ poison, text })),
      certificate: certificate(`operator ${name} ${root} ${scope}`),
    };
  }
}

/** Whether a node can take this revision into use: what is poisonous to a share of the nodes is so to always the same ones. */
export function isUsableBy(node: string, { id, revision }: Held): boolean {
  if (revision.body === null) return true;
  const { poison } = JSON.parse(new TextDecoder().decode(revision.body)) as { poison: number };
  return (mix(hashText(node), hashText(id)) >>> 0) / 0x1_0000_0000 >= poison;
}

function judge(seed: number, shown: Uint8Array, statement: Uint8Array, given: Uint8Array): Judgement {
  const [kind, name = '', root, scope] = new TextDecoder().decode(shown).trimEnd().split(' ');
  if (kind !== 'operator' || root !== rootOf(seed)) {
    return { ok: false, reason: 'certificate', detail: 'no root of ours vouches for it' };
  }
  if (!Buffer.from(signature(seed, `operator ${name}`, statement)).equals(given)) {
    return { ok: false, reason: 'signature', detail: 'it is not what its author signed' };
  }
  return { ok: true, author: authorOf(name), issuedAtMs: 0, mayWrite: (written) => scope === '*' || scope === written };
}

function seal(seed: number, content: RevisionContent): Held {
  const name = content.author.slice(authorOf('').length);
  const statement = revisionStatement(TRUST_DOMAIN, content, digest);
  return identified({ ...content, signature: signature(seed, `operator ${name}`, statement) });
}

function identified(revision: Revision): Held {
  return { id: revisionId(revisionStatement(TRUST_DOMAIN, revision, digest), digest), revision };
}

function authorOf(name: string): string {
  return `spiffe://${TRUST_DOMAIN}/operator/${name}`;
}
