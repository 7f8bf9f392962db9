/** What answers the paths under /api/v1, whoever asks: HTTP for one answer, the stream for what follows. @module */
import type { Answer } from '../admin/routes.ts';
import type { Grant } from './access/roles.ts';

/** Who looks. */
export interface Viewer {
  /** Null: somebody on this machine, who did not log in. */
  readonly name: string | null;
  readonly grants: readonly Grant[];
  readonly csrf: string;
  /** Whether they may look at single requests, as far as their grants go: traces and access logs. */
  readonly seesRequests: boolean;
}

export interface ConsoleApi {
  /** @param path as in `/topology`; undefined: there is no such path */
  read(path: string, asked: URLSearchParams, viewer: Viewer): Promise<Answer> | undefined;
  write(path: string, body: unknown, viewer: Viewer): Promise<Answer> | undefined;
}
