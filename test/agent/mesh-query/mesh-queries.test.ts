import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { MeshQueries } from '../../../agent/mesh-query/mesh-queries.ts';
import { MAX_ANSWER_BYTES } from '../../../agent/mesh-query/messages.ts';
import type { Topic } from '../../../agent/mesh-query/shapes.ts';
import { endpoint, Realm } from '../../gossip/support/mesh.ts';
import { MeshNode } from './mesh-node.ts';

/** Text that does not compress, the same each time. */
function noise(characters: number): string {
  let state = 7;
  const next = (): string => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return String.fromCharCode(48 + (state >>> 25));
  };
  return Array.from({ length: characters }, next).join('');
}

const LONG = { timeoutMs: 20_000 };

function length(name: string, factor = 1): Topic<{ text: string }, number> {
  return {
    name: 'length',
    question: z.object({ text: z.string().max(5) }),
    answerSchema: z.number().max(10),
    answer: ({ text }) => (name === 'c' ? factor : 1) * text.length,
  };
}

describe('a question to all nodes', () => {
  test('is answered by each, also where an answer takes many calls', { timeout: 120_000 }, async () => {
    using realm = new Realm();
    await using stack = new AsyncDisposableStack();
    const nodes = (await MeshNode.three(realm)).map((node) => stack.use(node));
    const text = noise(1_000_000);
    for (const { queries, name } of nodes) {
      queries.offer({ name: 'noise', question: z.null(), answer: () => ({ name, text }) });
    }
    const { answers, coverage } = await nodes[0]!.queries.ask<null, { name: string; text: string }>(
      { name: 'noise' },
      null,
      LONG,
    );
    expect(coverage).toEqual({ asked: 3, answered: 3, missing: [] });
    expect([...answers.keys()].sort()).toEqual(['a', 'b', 'c']);
    for (const [name, answer] of answers) expect(answer).toEqual({ name, text });
  });

  test('is refused where it does not fit, where the answer does not, and where the answer is too long', {
    timeout: 120_000,
  }, async () => {
    using realm = new Realm();
    await using stack = new AsyncDisposableStack();
    const nodes = (await MeshNode.three(realm)).map((node) => stack.use(node));
    const { queries } = nodes[0]!;
    for (const node of nodes) {
      node.queries.offer(length(node.name, 100));
      const answer = () => (node.name === 'a' ? '' : noise(MAX_ANSWER_BYTES * 2));
      node.queries.offer({ name: 'long', question: z.null(), answer });
    }
    const refused = (node: string) => ({ node, reason: 'refused', endpoints: 0 });
    const asked = await queries.ask<{ text: string }, number>({ name: 'length' }, { text: 'four' }, LONG);
    expect(Object.fromEntries(asked.answers)).toEqual({ a: 4, b: 4 });
    expect(asked.coverage.missing).toMatchObject([refused('c')]);
    const wrong = await queries.ask({ name: 'length' }, { text: 'longer' }, LONG);
    expect(wrong.coverage).toMatchObject({ answered: 0, missing: [refused('a'), refused('b'), refused('c')] });
    const long = await queries.ask({ name: 'long' }, null, LONG);
    expect(long.coverage).toMatchObject({ answered: 1, missing: [refused('b'), refused('c')] });
    const unknown = await queries.ask({ name: 'nothing' }, null, { ...LONG, nodes: ['b', 'z'] });
    expect(unknown.coverage.missing).toMatchObject([refused('b'), { node: 'z', reason: 'silent', lastHeardMs: null }]);
  });

  test('names who is too old, who is late and who is silent, with the endpoints it had', {
    timeout: 120_000,
  }, async () => {
    using realm = new Realm();
    await using stack = new AsyncDisposableStack();
    const [a, b, c] = (await MeshNode.three(realm, 'c')) as [MeshNode, MeshNode, MeshNode];
    for (const node of [a, b, c]) stack.use(node);
    a.queries.offer(length('a'));
    const hanging = Promise.withResolvers<number>();
    b.queries.offer({ name: 'length', question: z.unknown(), answer: () => hanging.promise });
    b.mesh.publish([endpoint('b')]);
    await a.view.until(() => a.view.members_.some(({ name, endpoints }) => name === 'b' && endpoints === 1));
    const { answers, coverage } = await a.queries.ask<{ text: string }, number>({ name: 'length' }, { text: 'four' });
    expect(Object.fromEntries(answers)).toEqual({ a: 4 });
    expect(coverage.missing).toMatchObject([
      { node: 'b', reason: 'late', endpoints: 1 },
      { node: 'c', reason: 'refused', endpoints: 0 },
    ]);
    hanging.resolve(4);
    const members = a.mesh
      .members()
      .map((member) => (member.name === 'b' ? { ...member, state: 'dead' as const, endpoints: 0 } : member));
    a.queries.members(members);
    const blind = new MeshQueries({
      node: 'a',
      mesh: () => ({
        members: () => members,
        stats: () => a.mesh.stats(),
        call: (to, question) => a.mesh.call(to, question),
      }),
    });
    blind.members(a.mesh.members());
    blind.members(members);
    const dead = await blind.ask({ name: 'length' }, null, { nodes: ['b'] });
    expect(dead.coverage.missing).toMatchObject([{ node: 'b', reason: 'silent', endpoints: 1 }]);
    expect(dead.coverage.missing[0]!.lastHeardMs).toBeGreaterThan(Date.now() - 60_000);
  });
});
