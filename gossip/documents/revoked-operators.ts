/**
 * Whose word counts, when operators call each other back: a function of what they said, whatever the order it came in.
 *
 * A revocation by a revoked operator counts for nothing, which is circular as soon as two revoke each other. So operators
 * are accepted one by one: first all whom nobody calls back that could count; where only circles are left, the one whose
 * certificate is the youngest. Only the root makes certificates, so whoever holds the root can end a quarrel with a thief,
 * however many keys that one has: a new operator is younger than all of them.
 * @module
 */
import type { Issued, RevocationEntry } from '../../certs/revocation.ts';
import { Revocations } from '../../certs/revocation.ts';

/** One revision of a document of kind Revocation. */
export interface Statement {
  /** The operator that signed it, with the instant of the certificate. */
  readonly author: Issued;
  /** Undefined for a deletion. */
  readonly revokes: RevocationEntry | undefined;
}

interface Call {
  readonly author: Issued;
  readonly revokes: RevocationEntry;
}

/**
 * @param documents the statements kept of each document, latest first; the latest of an author that counts is in force
 * @returns operators only, never one that is needed for the outcome
 */
export function revokedOperators(documents: readonly (readonly Statement[])[]): Revocations {
  const accepted = new Map<string, Issued>();
  let revoked = new Revocations();
  for (;;) {
    const calls = callsInForce(documents, revoked);
    const next = entriesOf(calls, accepted);
    // What falls silent may uncover what an accepted operator said before: look again until nothing more does.
    if (next.some((entry) => (revoked.beforeMs(entry.subject) ?? Number.NEGATIVE_INFINITY) < entry.beforeMs)) {
      revoked = new Revocations(next);
      continue;
    }
    const open = authorsOf(calls).filter((author) => !accepted.has(textOf(author)));
    if (open.length === 0) return revoked;
    const unopposed = open.filter((author) => !calls.some((call) => isAgainst(call, author)));
    for (const author of unopposed.length > 0 ? unopposed : [youngest(open)]) accepted.set(textOf(author), author);
  }
}

/** Nobody can call back himself: it would make his own word worthless. */
function callsInForce(documents: readonly (readonly Statement[])[], revoked: Revocations): Call[] {
  const calls: Call[] = [];
  for (const statements of documents) {
    const statement = statements.find(({ author }) => !revoked.covers(author));
    if (statement?.revokes === undefined || statement.revokes.subject === statement.author.spiffeId) continue;
    calls.push({ author: statement.author, revokes: statement.revokes });
  }
  return calls;
}

function authorsOf(calls: readonly Call[]): Issued[] {
  return [...new Map(calls.map(({ author }) => [textOf(author), author])).values()];
}

/** What the accepted call back, but for each other. */
function entriesOf(calls: readonly Call[], accepted: ReadonlyMap<string, Issued>): RevocationEntry[] {
  const heard = calls.filter(({ author }) => accepted.has(textOf(author)));
  return heard.map(({ revokes: { subject, beforeMs } }) => {
    const spared = [...accepted.values()].filter(({ spiffeId }) => spiffeId === subject);
    return { subject, beforeMs: Math.min(beforeMs, ...spared.map(({ issuedAtMs }) => issuedAtMs - 1)) };
  });
}

function isAgainst({ author, revokes }: Call, other: Issued): boolean {
  const isCovered = revokes.subject === other.spiffeId && other.issuedAtMs <= revokes.beforeMs;
  return isCovered && textOf(author) !== textOf(other);
}

function youngest(all: readonly Issued[]): Issued {
  const older = (a: Issued, b: Issued): boolean =>
    a.issuedAtMs < b.issuedAtMs || (a.issuedAtMs === b.issuedAtMs && a.spiffeId < b.spiffeId);
  return all.reduce((best, one) => (older(best, one) ? one : best));
}

function textOf({ spiffeId, issuedAtMs }: Issued): string {
  return `${spiffeId} ${issuedAtMs}`;
}
