/** How documents look as text. @module */
import { shortId } from '../../gossip/documents/revision.ts';
import type { DocumentView, RevisionStatusView, RevisionView } from '../documents/views.ts';
import { conditionsText } from '../traffic/conditions.ts';
import { span, table } from './output.ts';

/** Routes have a column for what became of them. */
export function documentsText(documents: readonly DocumentView[], nowMs: number): string {
  const hasStatus = documents.some(({ status }) => status !== null);
  return table(documents, [
    { heading: 'KIND', text: ({ kind }) => kind },
    { heading: 'NAMESPACE', text: ({ namespace }) => namespace },
    { heading: 'NAME', text: ({ name }) => name },
    { heading: 'REVISION', text: ({ revision, number }) => `${shortId(revision)} (${number})` },
    { heading: 'AUTHOR', text: ({ author }) => nameOf(author) },
    { heading: 'AGE', text: ({ writtenAt }) => span(nowMs - Date.parse(writtenAt)) },
    { heading: 'HERE', text: ({ isDeleted, state }) => (isDeleted ? 'deleted' : state) },
    ...(hasStatus ? [{ heading: 'STATUS', text: statusText }] : []),
    { heading: 'WHY', text: ({ why }) => why },
  ]);
}

function statusText({ status }: DocumentView): string {
  return status === null ? '' : conditionsText(status.parents);
}

export function historyText(revisions: readonly RevisionView[], nowMs: number): string {
  return table(revisions, [
    { heading: 'REVISION', text: ({ revision }) => shortId(revision) },
    { heading: 'NUMBER', text: ({ number }) => String(number) },
    { heading: 'REPLACES', text: ({ base }) => shortId(base) },
    { heading: 'AUTHOR', text: ({ author }) => nameOf(author) },
    { heading: 'AGE', text: ({ writtenAt }) => span(nowMs - Date.parse(writtenAt)) },
    { heading: 'STANDING', text: ({ standing, isDeleted }) => (isDeleted ? `${standing}, a deletion` : standing) },
  ]);
}

/** `applied on 99 of 100, rejected by n7: why`, then whoever has not applied it. */
export function revisionStatusText(status: RevisionStatusView, nowMs: number): string {
  const { kind, namespace, name, revision, number, author, writtenAt, standing } = status;
  const what = namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
  const by = `by ${nameOf(author)}, ${span(nowMs - Date.parse(writtenAt))} ago`;
  const head = `${what} revision ${shortId(revision)} (${number}) ${by}\n`;
  if (standing !== 'current') return `${head}${standing} by ${shortId(status.current)}, which is in force\n`;
  return `${head}${summary(status)}\n${others(status)}`;
}

export function summary(status: RevisionStatusView): string {
  const rejected = status.nodes.filter(({ state }) => state === 'rejected');
  const parts = [`applied on ${status.applied} of ${status.of}`];
  if (status.pending > 0) parts.push(`pending on ${status.pending}`);
  for (const { node, why } of rejected.slice(0, 3)) parts.push(`rejected by ${node}: ${why}`);
  if (rejected.length > 3) parts.push(`rejected by ${rejected.length - 3} more`);
  if (status.heldBack !== null) parts.push(`held back everywhere because of ${status.heldBack.by}`);
  return parts.join(', ');
}

function others({ nodes }: RevisionStatusView): string {
  const open = nodes.filter(({ state }) => state !== 'applied');
  if (open.length === 0) return '';
  return table(open, [
    { heading: 'NODE', text: ({ node }) => node },
    { heading: 'STATE', text: ({ state }) => state },
    { heading: 'FIRST', text: ({ isFirst }) => (isFirst ? 'yes' : '') },
    { heading: 'WHY', text: ({ why }) => why },
  ]);
}

function nameOf(author: string): string {
  return author.slice(author.lastIndexOf('/') + 1);
}
