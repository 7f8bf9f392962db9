/**
 * What an agent holds, in three parts, each a stack that is closed newest first.
 *
 * Closing order is what keeps requests whole: nobody asks any more; then the mesh is told that this node leaves, so that
 * nobody picks its endpoints; then rules and listeners go, and the workers drain what is open. A successor takes the parts
 * over one by one (agent/takeover/).
 * @module
 */
export class Lifetimes implements AsyncDisposable {
  /** Where others ask. */
  readonly doors = new AsyncDisposableStack();
  /** What speaks with other nodes or writes to disk. */
  readonly state = new AsyncDisposableStack();
  /** What carries traffic. */
  readonly serving = new AsyncDisposableStack();

  async [Symbol.asyncDispose](): Promise<void> {
    await this.doors.disposeAsync();
    await this.state.disposeAsync();
    await this.serving.disposeAsync();
  }
}
