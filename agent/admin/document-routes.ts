/**
 * /v1/documents: reading for all of this machine, writing over the unix socket only. A write carries a signature made
 * elsewhere; no key ever comes this way. @module
 */
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { type DocumentKey, MAX_BODY_BYTES as MAX_DOCUMENT_BYTES } from '../../gossip/documents/revision.ts';
import type { DocumentService } from '../documents/service.ts';
import { signedRevision } from '../documents/signed.ts';
import type { ImpactView } from '../documents/views.ts';
import { answerChecked, readBody } from './asked.ts';
import { type AdminRoutes, type Answer, ok, refusal } from './routes.ts';

/** Room for the revisions of one page of a snapshot, with what JSON adds. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;
const MAX_REVISIONS = 5_000;

const writeBody = z.strictObject({ revision: signedRevision, isDryRun: z.boolean() });
const checkBody = z.strictObject({
  kind: z.string().min(1).max(63),
  namespace: z.string().max(63),
  name: z.string().min(1).max(253),
  body: z.string().max(MAX_DOCUMENT_BYTES),
});
const restoreBody = z.strictObject({ revisions: z.array(signedRevision).max(MAX_REVISIONS) });

/** @returns null for documents that are about no calls */
export type ImpactOf = (key: DocumentKey, value: unknown) => Promise<ImpactView | null>;

/** @param impactOf what a document that is not written yet would mean for requests; undefined: nobody counts them */
export function documentRoutes(service: DocumentService, impactOf?: ImpactOf): AdminRoutes {
  return {
    paths: [
      '/v1/documents',
      '/v1/documents/check',
      '/v1/documents/history',
      '/v1/documents/status',
      '/v1/documents/snapshot',
      '/v1/documents/restore',
    ],
    answer: (request, isPrivate) => answer({ service, impactOf }, request, isPrivate),
  };
}

interface Sources {
  readonly service: DocumentService;
  readonly impactOf: ImpactOf | undefined;
}

async function answer({ service, impactOf }: Sources, request: IncomingMessage, isPrivate: boolean): Promise<Answer> {
  const { method = '', url = '' } = request;
  const { pathname, searchParams: asked } = new URL(url, 'http://agent');
  const route = `${method} ${pathname}`;
  const key = { kind: asked.get('kind') ?? '', namespace: asked.get('namespace') ?? '', name: asked.get('name') ?? '' };
  switch (route) {
    case 'GET /v1/documents':
      return ok(await service.list(wanted(asked)));
    case 'GET /v1/documents/history':
      return ok(await service.history(key));
    case 'GET /v1/documents/status': {
      const prefix = asked.get('revision') ?? '';
      if (!/^[0-9a-f]{4,32}$/.test(prefix)) return refusal(400, 'revision: give 4 to 32 hexadecimal digits');
      return ok(await service.status(prefix));
    }
    case 'GET /v1/documents/snapshot':
      return ok(await service.snapshot(asked.get('after') ?? ''));
  }
  if (!isPrivate) return refusal(403, `${pathname} is offered on the unix socket only`);
  switch (route) {
    case 'POST /v1/documents':
      return withBody(request, writeBody, async ({ revision, isDryRun }) =>
        ok(await service.write(revision, isDryRun)),
      );
    case 'POST /v1/documents/check':
      return withBody(request, checkBody, async ({ body, ...asked }) => {
        const { view, value } = await service.checked(asked, new TextEncoder().encode(body));
        if (value === undefined || impactOf === undefined) return ok(view);
        return ok({ ...view, impact: await impactOf(asked, value) });
      });
    case 'POST /v1/documents/restore':
      return withBody(request, restoreBody, async ({ revisions }) => ok(await service.restore(revisions)));
  }
  return refusal(405, `${method} is not offered on ${pathname}`);
}

function wanted(asked: URLSearchParams): Record<string, string> {
  const fields = ['kind', 'namespace', 'name'].map((field) => [field, asked.get(field)] as const);
  return Object.fromEntries(fields.filter((pair): pair is [string, string] => pair[1] !== null));
}

async function withBody<S extends z.ZodType>(
  request: IncomingMessage,
  schema: S,
  act: (body: z.output<S>) => Promise<Answer>,
): Promise<Answer> {
  const text = await readBody(request, MAX_BODY_BYTES);
  if (text === undefined) return refusal(413, `at most ${MAX_BODY_BYTES} bytes are read`);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return refusal(400, 'the body is not JSON');
  }
  return answerChecked(schema, body, act);
}
