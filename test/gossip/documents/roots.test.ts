/** Documents of operators whom no root certifies any more: gone, as for those who start now. */
import { describe, expect, test } from 'vitest';
import { revocationName } from '../../../certs/revocation.ts';
import type { Held } from '../../../gossip/documents/revision.ts';
import { compareAll, NOW_MS, Replica, revision, TRUST_DOMAIN } from './replicas.ts';

function holding(name: string, all: readonly Held[], retired: readonly string[] = []): Replica {
  const replica = new Replica(name);
  for (const operator of retired) replica.authority.retired.add(operator);
  for (const held of all) replica.documents.library.offer(held.revision);
  return replica;
}

function retire(replica: Replica, operator: string) {
  replica.authority.retired.add(operator);
  return replica.step((documents) => documents.rootDropped()).effects;
}

/** `by` calls back everything that was certified for an operator until now. */
function call(by: string, operator: string): Held {
  const subject = `operator/${operator}`;
  const text = JSON.stringify({ spec: { subject, before: new Date(NOW_MS).toISOString() } });
  return revision({ kind: 'Revocation', namespace: 'weft-system', name: revocationName(subject), author: by, text });
}

describe('when a root is trusted no more', () => {
  test('what only it vouched for leaves force, and what was signed anew stays', () => {
    const [old, other] = [revision({ text: '{"by":"old"}' }), revision({ name: 'cart' })];
    const anew = revision({ base: old, author: 'new', text: '{"by":"old"}' });
    const replica = holding('n', [old, anew, other]);
    const effects = retire(replica, 'alice');
    expect(replica.state()).toBe(`AccessPolicy/shop/web: ${anew.id}`);
    const { kind, namespace, name } = other.revision;
    expect(effects).toContainEqual({ kind: 'documents-gone', keys: [{ kind, namespace, name }] });
    expect(replica.stats).toMatchObject({ held: 1, revisions: 1 });
  });

  test('a node that was there before and one that starts after have nothing to tell each other', () => {
    const old = revision({});
    const all = [old, revision({ base: old, author: 'new' }), revision({ name: 'cart' })];
    const before = holding('a', all);
    retire(before, 'alice');
    const after = holding('b', all, ['alice']);
    after.authority.judge = (signed) => {
      if (!after.authority.certifies(signed.certificate))
        return { ok: false, reason: 'certificate', detail: 'retired' };
      throw new Error('a revision was offered again');
    };
    compareAll([before, after]);
    expect(after.state()).toContain('AccessPolicy/shop/web');
  });

  test('its operators call nobody back any more, and those whom they had called back count again', () => {
    const bob = `spiffe://${TRUST_DOMAIN}/operator/bob`;
    const replica = holding('n', [
      call(`spiffe://${TRUST_DOMAIN}/operator/old`, 'bob'),
      revision({ author: bob, hlc: { ms: NOW_MS, count: 1 } }),
    ]);
    expect(replica.documents.library.revocations.entries(NOW_MS)).toHaveLength(1);
    const effects = retire(replica, `spiffe://${TRUST_DOMAIN}/operator/old`);
    expect(effects).toContainEqual({ kind: 'revocations', entries: [] });
    expect(replica.documents.library.revocations.calls).toBe(0);
  });
});
