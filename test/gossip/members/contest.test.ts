import { expect, test } from 'vitest';
import type { Context } from '../../../gossip/effects.ts';
import { Membership } from '../../../gossip/members/membership.ts';
import { aliveStatement, lineOf, type Standing } from '../../../gossip/members/standing.ts';
import { emptyCoreStats } from '../../../gossip/stats.ts';
import { SETTINGS, ToySigner } from '../support/world.ts';

const DOMAIN = 'test.example';
const line = { name: 'x', epoch: 1, inc: 0, rank: 1 };

function alive(inc: number): Standing {
  return { kind: 'alive', epoch: 1, inc, signature: new ToySigner('x').sign(aliveStatement(DOMAIN, 'x', 1, inc)) };
}

/** A membership that holds x alive, and what it asked of whom. */
function holding(): { membership: Membership; asked: string[]; fetched: string[] } {
  const asked: string[] = [];
  const fetched: string[] = [];
  const context: Context = {
    self: 'self',
    trustDomain: DOMAIN,
    settings: SETTINGS,
    signer: new ToySigner('self'),
    random: () => 0.5,
    stats: emptyCoreStats(),
    nowMs: 0,
    out: [],
  };
  const membership = new Membership(
    context,
    {
      credentialOf: (name) => ({ name }),
      addressOf: () => undefined,
      epochOf: () => 1,
      observersOf: () => new Set(),
      isLinked: () => false,
      deliver: () => undefined,
      tell: () => undefined,
      ask: ({ name }) => asked.push(name),
      fetch: (peer, { name }) => fetched.push(`${name} from ${peer}`),
      changed: () => undefined,
      doubted: () => undefined,
      raiseEpoch: () => undefined,
      askProof: () => undefined,
    },
    1,
  );
  membership.hear('x', alive(0), 'flood', 'p');
  return { membership, asked, fetched };
}

test('a death that a comparison of tables shows is asked about, and proof is fetched when nobody refutes it', () => {
  const { membership, asked, fetched } = holding();
  expect(membership.question(line, 'p')).toBe(true);
  membership.question(line, 'q');
  expect(asked).toEqual(['x']);
  expect(fetched).toEqual([]);
  membership.fired({ kind: 'contest', about: 'x' });
  expect(fetched).toEqual(['x from p']);
  expect(membership.table.get('x')?.state).toBe('alive');
});

test('a death that is refuted in time needs no proof', () => {
  const { membership, fetched } = holding();
  membership.question(line, 'p');
  membership.hear('x', alive(1), 'flood', 'q');
  membership.fired({ kind: 'contest', about: 'x' });
  expect(fetched).toEqual([]);
});

test('there is nothing to ask about a member that is not held present, or about good news', () => {
  const { membership, asked } = holding();
  expect(membership.question({ ...line, name: 'stranger' }, 'p')).toBe(false);
  expect(membership.question(lineOf('x', alive(1)), 'p')).toBe(false);
  expect(asked).toEqual([]);
});
