/** A part of the admin API that reads its requests itself: queries, bodies, and who may ask. @module */
import type { IncomingMessage } from 'node:http';

export interface Answer {
  readonly status: number;
  /** Text is sent as it is, all else as JSON. */
  readonly body: unknown;
}

export interface AdminRoutes {
  /** One that ends with a slash stands for all below it. */
  readonly paths: readonly string[];
  /**
   * Answers a request for one of the paths.
   *
   * @param isPrivate whether only the agent's own user can send requests here
   */
  answer(request: IncomingMessage, isPrivate: boolean): Promise<Answer>;
}

export function refusal(status: number, message: string): Answer {
  return { status, body: { error: message } };
}

export function ok(body: unknown): Answer {
  return { status: 200, body };
}
