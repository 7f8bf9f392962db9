/** `weft token`: what lets a machine join, made with an operator's key. Offline, without an agent. @module */
import { join } from 'node:path';
import type { Command } from 'commander';
import { toMs } from './durations.ts';
import { EXIT } from './exit-codes.ts';
import type { Context } from './program.ts';

interface CreateOptions {
  readonly grant: readonly string[];
  readonly name?: string;
  readonly ttl: number;
  readonly operator?: string;
}

export function addTokenCommand(program: Command, context: Context): void {
  const token = program.command('token').description('join tokens');
  token
    .command('create')
    .description('make a token with which one node can join, once')
    .requiredOption('--grant <pattern...>', "identities the node may speak for, such as 'ns/shop/*'")
    .option('--name <node>', 'the only node that may use it; left out: any that is new to the mesh')
    .option('--ttl <duration>', 'how long it is good, up to 24h', toMs, toMs('10m'))
    .option('--operator <directory>', 'operator.key, operator.crt and roots.crt to sign with (or WEFT_OPERATOR)')
    .action(
      context.action<CreateOptions>(async ({ grant, name, ttl, operator: directory }, io) => {
        const [{ createToken }, { loadOperator }, { readPublic }, { parseTrustBundle }] = await Promise.all([
          import('../../certs/token.ts'),
          import('./document-writer.ts'),
          import('../../certs/files.ts'),
          import('../../certs/trust-bundle.ts'),
        ]);
        const operator = loadOperator(directory, io.env);
        const file = join(directory ?? io.env.WEFT_OPERATOR ?? '', 'roots.crt');
        const { roots } = parseTrustBundle(operator.trustDomain, readPublic(file), file);
        const nowMs = io.nowMs();
        const options = { grant, ttlMs: ttl, nowMs, roots };
        io.stdout.write(`${createToken(operator, name === undefined ? options : { ...options, name })}\n`);
        const until = new Date(nowMs + ttl).toISOString();
        io.stderr.write(`Good for ${name ?? 'one new node'}, once, until ${until}. Whoever has it can use it: on that machine,
  weft join TOKEN ISSUER:15012 --out /etc/weft/node${name === undefined ? ' --name NODE' : ''}\n`);
        return EXIT.ok;
      }),
    );
}
