/** A mesh thread with the questions that are asked over it. @module */
import { join } from 'node:path';
import { MeshQueries } from '../../../agent/mesh-query/mesh-queries.ts';
import { MeshThread } from '../../../agent/threads/mesh.ts';
import { gossipConfig } from '../../../gossip/config.ts';
import { type Realm, View } from '../../gossip/support/mesh.ts';

export class MeshNode implements AsyncDisposable {
  readonly view = new View();
  readonly queries: MeshQueries;
  readonly name: string;
  mesh!: MeshThread;

  private constructor(name: string) {
    this.name = name;
    this.queries = new MeshQueries({ node: name, mesh: () => this.mesh });
  }

  /** @param isOld answers like a node from before there were queries */
  static async start(
    realm: Pick<Realm, 'directory' | 'bundle'>,
    name: string,
    seeds: readonly string[] = [],
    isOld = false,
  ): Promise<MeshNode> {
    const node = new MeshNode(name);
    const config = gossipConfig.parse({
      listen: '127.0.0.1:0',
      seeds,
      dataDirectory: join(realm.directory, 'data', name),
    });
    const malformed = Promise.resolve(Buffer.from([0x92, 1, 0xa1, 0x78]));
    node.mesh = await MeshThread.start(
      {
        config,
        nodeBundleDirectory: realm.bundle(name),
        logLevel: 'fatal',
        events: {
          members: (members) => {
            node.view.members(members);
            node.queries.members(members);
          },
          endpoints: (delta) => node.view.endpoints(delta),
          failed: (err) => {
            throw err;
          },
          asked: (caller, question) => (isOld ? malformed : (node.queries.answer(caller, question) ?? malformed)),
        },
      },
      new AbortController().signal,
    );
    return node;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.queries[Symbol.dispose]();
    await this.mesh.close();
  }

  /** Three that see each other. */
  static async three(realm: Realm, oldNode?: string): Promise<[MeshNode, MeshNode, MeshNode]> {
    const a = await MeshNode.start(realm, 'a');
    const b = await MeshNode.start(realm, 'b', [a.mesh.address]);
    const c = await MeshNode.start(realm, 'c', [a.mesh.address], oldNode === 'c');
    for (const { view } of [a, b, c]) {
      await view.until(() => view.members_.length === 3 && view.members_.every((member) => member.state === 'alive'));
    }
    return [a, b, c];
  }
}
