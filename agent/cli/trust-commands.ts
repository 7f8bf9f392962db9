/** Commands that make identities: offline, without an agent. @module */
import type { Command } from 'commander';
import { toMs } from './durations.ts';
import { EXIT } from './exit-codes.ts';
import type { Context } from './program.ts';

interface InitOptions {
  readonly trustDomain: string;
  readonly out: string;
  readonly operator: string;
}

interface IssueOptions {
  readonly trust: string;
  readonly name: string;
  readonly grant: readonly string[];
  readonly out: string;
  readonly ttl: number;
}

interface OperatorOptions extends Omit<IssueOptions, 'grant'> {
  readonly scope: readonly string[];
}

export function addTrustCommands(program: Command, context: Context): void {
  program
    .command('init')
    .description('make a trust domain: root, issuer and first operator')
    .requiredOption('--trust-domain <name>', 'lower-case DNS name, such as prod.example')
    .requiredOption('--out <directory>', 'where to write it; must be empty or absent')
    .option('--operator <name>', 'name of the first operator', 'admin')
    .action(
      context.action<InitOptions>(async ({ trustDomain, out, operator }, io) => {
        const { createTrustDomain } = await import('../../certs/trust-domain.ts');
        const files = createTrustDomain({ trustDomain, directory: out, operator });
        io.stdout.write(`Trust domain ${trustDomain} is in ${out}.\n
Keep ${files.rootKey} off line: it is needed again only to renew or rotate.
Next, a bundle for each node, naming what it may speak for:
  weft node issue --trust ${out} --name NODE --grant 'ns/NAMESPACE/*' --out NODE-DIRECTORY\n`);
        return EXIT.ok;
      }),
    );

  const node = program.command('node').description('node bundles');
  node
    .command('issue')
    .description('write a key and certificate for one node')
    .requiredOption('--trust <directory>', 'the trust domain, as weft init wrote it')
    .requiredOption('--name <node>', 'name of the node in the mesh')
    .requiredOption('--grant <pattern...>', "identities it may speak for, such as 'ns/shop/*'; '*' for all")
    .requiredOption('--out <directory>', 'where to write node.key, node.crt and roots.crt')
    .option('--ttl <duration>', 'life of the certificate, such as 12h or 7d', toMs, toMs('7d'))
    .action(
      context.action<IssueOptions>(async ({ trust, name, grant, out, ttl }, io) => {
        const { issueNodeBundle } = await import('../../certs/node-bundle.ts');
        issueNodeBundle({ trustDirectory: trust, name, grant, directory: out, ttlMs: ttl });
        io.stdout.write(`Bundle of ${name} is in ${out}, granted ${grant.join(', ')}.
Copy it to the node, keep the modes, and set certs.bundleDirectory in its agent.yaml.\n`);
        return EXIT.ok;
      }),
    );

  const operator = program.command('operator').description('operators, who sign documents');
  operator
    .command('issue')
    .description('write a key and certificate for one operator; takes the key of the root')
    .requiredOption('--trust <directory>', 'the trust domain, as weft init wrote it')
    .requiredOption('--name <operator>', 'name of the operator')
    .requiredOption(
      '--scope <pattern...>',
      "what it may write, as kind/namespace, such as 'AccessPolicy/shop' or '*/shop'",
    )
    .requiredOption('--out <directory>', 'where to write operator.key, operator.crt and roots.crt')
    .option('--ttl <duration>', 'life of the certificate, such as 30d', toMs, toMs('365d'))
    .action(
      context.action<OperatorOptions>(async ({ trust, name, scope, out, ttl }, io) => {
        const { issueOperatorBundle } = await import('../../certs/operator-bundle.ts');
        issueOperatorBundle({ trustDirectory: trust, name, scope, directory: out, ttlMs: ttl });
        io.stdout.write(`Operator ${name} is in ${out}, and may write ${scope.join(', ')}.
Use it with: weft apply -f FILE --operator ${out}\n`);
        return EXIT.ok;
      }),
    );
}
