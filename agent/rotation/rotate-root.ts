/**
 * `weft cert rotate-root`, step by step: state what is to hold, publish it through any agent, and wait until every node
 * says that it holds there. Where a step is cut short, or a node is not there, the same command goes on.
 *
 * Begin: all trust both roots, then certificates lead to the new one. Finish: documents are signed under the new root, then
 * the old one is dropped. Abort: certificates lead to the old root again, then the new one is dropped.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { writePublic } from '../../certs/files.ts';
import { loadOperatorBundle, type OperatorIdentity } from '../../certs/operator-bundle.ts';
import { rootFingerprint, rootOf } from '../../certs/root-rotation.ts';
import { RotatingTrustDomain } from '../../certs/root-rotation-authority.ts';
import { rotationToJson } from '../../certs/root-rotation-files.ts';
import { scopeCovers } from '../../certs/scope.ts';
import { toPem } from '../../certs/trust-bundle.ts';
import type { Root } from '../../certs/trust-domain.ts';
import { describeKey, keyText } from '../../gossip/documents/revision.ts';
import type { AgentPlace } from '../cli/agent-place.ts';
import { call } from '../cli/client.ts';
import { baseOf, currentOf, writeChange } from '../cli/document-writer.ts';
import type { CliIo } from '../cli/io.ts';
import { heldDocuments, isAgainst, signAnew, writtenByRevoked } from '../cli/sign-anew.ts';
import { encodeResource, type Resource } from '../documents/resource.ts';
import { TRUST_BUNDLE_KEY } from '../documents/trust-bundle.ts';
import type { RevisionStatusView } from '../documents/views.ts';
import { AgentError } from '../errors.ts';
import type { TrustView } from './views.ts';

export interface RotateOptions {
  readonly place: AgentPlace;
  /** Of the trust domain, with the key of its root. */
  readonly trustDirectory: string;
  readonly operatorDirectory: string;
  /** On begin: the issuer gets another key. */
  readonly isNewIssuer?: boolean;
  /** Nodes that are not waited for. */
  readonly without: readonly string[];
  /** Longest to wait for all nodes, at each step. */
  readonly patienceMs: number;
  readonly io: CliIo;
}

const LOOK_MS = 50;

export class RootRotationDesk {
  readonly #options: RotateOptions;
  readonly #domain: RotatingTrustDomain;
  #operator: OperatorIdentity;

  /** @throws CertsError or AgentError when trust domain or operator will not do */
  constructor(options: RotateOptions) {
    this.#options = options;
    this.#domain = new RotatingTrustDomain(options.trustDirectory);
    this.#operator = loadOperatorBundle(options.operatorDirectory, options.io.nowMs());
    this.#checkScope();
  }

  async begin(): Promise<void> {
    const domain = this.#domain;
    if (domain.stage === 'retired')
      throw stageError('the old root is being retired; weft cert rotate-root finish goes on');
    if (domain.isGivenUp) throw stageError('an abort did not come to its end; weft cert rotate-root abort goes on');
    if (domain.stage === 'none') {
      domain.distribute(this.#nowMs());
      this.#say(`root ${shortOf(domain.next!)} made`);
    } else {
      this.#say(`root ${shortOf(domain.next!)} is being brought in since before; going on`);
    }
    if (domain.stage === 'distributed') {
      this.#trust([domain.old, domain.next!]);
      await this.#publish('trust both roots');
      const { isNewIssuer = false } = this.#options;
      domain.move(domain.next!, this.#nowMs(), { isNewIssuer });
      if (isNewIssuer) this.#say('the issuer has a new key: copy issuer.key and issuer.crt to all issuers now');
    } else if (this.#options.isNewIssuer === true) {
      this.#say('the key of the issuer stays as it is: certificates are being moved already');
    }
    await this.#publish(`are asked to lead to root ${shortOf(domain.next!)}`);
    await this.#allLeadTo(domain.next!);
    this.#say('next: weft cert rotate-root finish; until then, weft cert rotate-root abort takes it back');
  }

  async finish(): Promise<void> {
    const domain = this.#domain;
    if (domain.stage === 'none')
      throw stageError('no rotation is under way; weft cert rotate-root begin makes a new root');
    if (domain.stage === 'distributed') throw stageError('not all is moved yet; weft cert rotate-root begin goes on');
    const { next, old } = domain;
    if (domain.stage === 'moved') {
      await this.#publish(`are asked to lead to root ${shortOf(next!)}`);
      await this.#allLeadTo(next!);
      await this.#signUnder(next!);
      domain.retire();
    }
    this.#trust([next!]);
    await this.#publish(`trust root ${shortOf(next!)} alone`);
    domain.complete();
    this.#say(`root ${shortOf(old)} is retired; its key is gone from ${domain.directory}, destroy copies of it`);
  }

  async abort(): Promise<void> {
    const domain = this.#domain;
    const { next, old, stage } = domain;
    if (stage === 'retired')
      throw stageError('the old root is being retired already; weft cert rotate-root finish goes on');
    if (stage === 'none' && !domain.isGivenUp) throw stageError('no rotation is under way');
    if (next !== undefined) {
      domain.move(old, this.#nowMs());
      await this.#publish(`are asked to lead to root ${shortOf(old)}`);
      await this.#allLeadTo(old);
      await this.#signUnder(old);
      domain.giveUp();
    }
    this.#trust([old]);
    if (domain.rotation.statements.length > 0) await this.#publish(`trust root ${shortOf(old)} alone`);
    domain.discard();
    this.#say(`root ${shortOf(old)} goes on being the root`);
  }

  /** Publishes what is stated, unless it is in force already, and waits until all nodes hold by it. */
  async #publish(what: string): Promise<void> {
    const { place } = this.#options;
    const resource: Resource = {
      apiVersion: 'weft.dev/v1alpha1',
      kind: TRUST_BUNDLE_KEY.kind,
      metadata: { name: TRUST_BUNDLE_KEY.name, namespace: TRUST_BUNDLE_KEY.namespace },
      spec: { ...rotationToJson(this.#domain.rotation) },
    };
    const body = encodeResource(resource);
    const current = await currentOf(place, TRUST_BUNDLE_KEY);
    const isSame = current?.resource != null && Buffer.from(encodeResource(current.resource as Resource)).equals(body);
    let revision = current?.revision ?? '';
    // What a node refused it looks at again when it is written anew.
    if (!isSame || (await this.#missing(revision)).some(({ isRejected }) => isRejected)) {
      const change = { key: TRUST_BUNDLE_KEY, where: describeKey(TRUST_BUNDLE_KEY), base: baseOf(current), body };
      revision = (await writeChange(change, this.#writing())).revision;
    }
    await this.#until(`all ${what}`, async () =>
      (await this.#missing(revision)).map(({ name, why }) => `${name}: ${why}`),
    );
  }

  /** Until the certificates of all members lead to this root, as the agent verified them. */
  async #allLeadTo(root: Root): Promise<void> {
    const wanted = rootFingerprint(root.certificate);
    const name = shortOf(root);
    await this.#until(`certificates of all nodes lead to root ${name}`, async () =>
      (await this.#members())
        .filter((member) => member.root !== wanted)
        .map(
          (member) => `${member.name}: leads to ${member.root.slice(0, 16) || 'no known root'}, it is ${member.state}`,
        ),
    );
  }

  /** Members that do not hold by a revision, and why. */
  async #missing(revision: string): Promise<{ name: string; why: string; isRejected: boolean }[]> {
    const path = `/v1/documents/status?revision=${revision}`;
    const [status] = await call<readonly RevisionStatusView[]>(this.#options.place, { method: 'GET', path });
    const said = new Map(status?.nodes.map((node) => [node.node, node]));
    return (await this.#members()).flatMap(({ name, state }) => {
      const node = said.get(name);
      if (node?.state === 'applied') return [];
      const why = node === undefined ? `it is ${state}` : `${node.state}, ${node.why}`;
      return [{ name, why, isRejected: node?.state === 'rejected' }];
    });
  }

  /** All that have not left the mesh, but for those that are not waited for: one that is merely cut off must not be lost. */
  async #members(): Promise<TrustView['members']> {
    const { place, without } = this.#options;
    const { members } = await call<TrustView>(place, { method: 'GET', path: '/v1/trust' });
    return members.filter(({ name, state }) => state !== 'left' && !without.includes(name));
  }

  /** The operator's certificate, and documents that only the other root vouches for. */
  async #signUnder(root: Root): Promise<void> {
    const { place, operatorDirectory, io } = this.#options;
    const { trustDomain } = this.#domain;
    const trust = { trustDomain, roots: [root.certificate] };
    for (const directory of new Set([operatorDirectory, this.#domain.directory])) {
      const operator = loadIfThere(directory, this.#nowMs());
      if (operator === undefined || rootOf([operator.certificate], trust) !== undefined) continue;
      const certificate = this.#domain.certifyOperator(operator.certificate, root, this.#nowMs());
      writePublic(join(directory, 'operator.crt'), toPem([certificate]));
    }
    this.#operator = loadOperatorBundle(operatorDirectory, this.#nowMs());
    const documents = await heldDocuments(place, trustDomain);
    const worthless = writtenByRevoked(documents, trustDomain);
    const others = new Set<string>();
    for (const [head] of documents) {
      if (head === undefined || worthless.has(head) || isAgainst(this.#operator, head)) continue;
      const { revision } = head;
      if (keyText(revision) === keyText(TRUST_BUNDLE_KEY)) continue; // written anew in a moment
      if (rootOf([new X509Certificate(revision.certificate)], trust) !== undefined) continue;
      await signAnew(head, this.#writing());
      io.stdout.write(`${describeKey(revision)}: signed anew by ${this.#operator.name}\n`);
      if (revision.author !== this.#operator.spiffeId) others.add(revision.author);
    }
    for (const author of others)
      this.#say(`${author} needs a certificate under root ${shortOf(root)}: weft operator issue`);
  }

  async #until(what: string, missing: () => Promise<readonly string[]>): Promise<void> {
    const { io, patienceMs, without } = this.#options;
    const untilMs = io.nowMs() + patienceMs;
    for (;;) {
      const waits = await missing();
      if (waits.length === 0) break;
      if (io.signal.aborted || io.nowMs() > untilMs) {
        throw new AgentError('WEFT_AGENT_ROTATION_WAITS', `${what}, but not\n  ${waits.join('\n  ')}\n`);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS)); // the pause between two looks
    }
    this.#say(without.length === 0 ? what : `${what}; not waited for: ${without.join(', ')}`);
  }

  #writing() {
    const { place } = this.#options;
    return { place, operator: this.#operator, nowMs: this.#nowMs(), isDryRun: false };
  }

  /** What tokens and bundles made from here on name. */
  #trust(roots: readonly Root[]): void {
    const pem = toPem(roots.map(({ certificate }) => certificate));
    for (const directory of new Set([this.#options.operatorDirectory, this.#domain.directory])) {
      writePublic(join(directory, 'roots.crt'), pem);
    }
  }

  /** Documents of all kinds may have to be signed anew. */
  #checkScope(): void {
    const { name, scope, trustDomain } = this.#operator;
    if (trustDomain !== this.#domain.trustDomain) {
      throw stageError(`operator ${name} is of ${trustDomain}, the root of ${this.#domain.trustDomain}`);
    }
    const { kind, namespace } = TRUST_BUNDLE_KEY;
    if (scopeCovers(scope, kind, namespace)) return;
    const subject = `operator ${name} may write ${scope.join(', ')}; rotating the root takes ${kind}/${namespace}`;
    throw new AgentError('WEFT_AGENT_DOCUMENT_REFUSED', subject);
  }

  #say(text: string): void {
    this.#options.io.stdout.write(`${text}\n`);
  }

  #nowMs(): number {
    return this.#options.io.nowMs();
  }
}

function loadIfThere(directory: string, nowMs: number): OperatorIdentity | undefined {
  try {
    return loadOperatorBundle(directory, nowMs);
  } catch {
    return undefined; // the trust domain's own operator may be kept elsewhere
  }
}

function shortOf({ certificate }: Root): string {
  return rootFingerprint(certificate).slice(0, 16);
}

function stageError(subject: string): AgentError {
  return new AgentError('WEFT_AGENT_ROTATION_STAGE', subject);
}
