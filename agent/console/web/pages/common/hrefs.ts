/** Addresses of the console's pages. @module */
import type { Source } from '../../../shapes/common.ts';

/** In the place of a namespace, for documents of the mesh as a whole. */
export const NO_NAMESPACE = '-';

export function hrefOfSource({ kind, namespace, name, line }: Source): string {
  const at = [kind, namespace === '' ? NO_NAMESPACE : namespace, name].map(encodeURIComponent).join('/');
  return `/policies/${at}${line === null ? '' : `#L${line}`}`;
}

/** Where what was so before that revision is signed anew. */
export function undoHref({ kind, namespace, name, rev }: Source): string {
  return `${hrefOfSource({ kind, namespace, name, rev, line: null })}/edit?undo=${encodeURIComponent(rev ?? '')}`;
}

export function serviceHref(id: string, tab = ''): string {
  return `/services/${id.split('/').map(encodeURIComponent).join('/')}${tab === '' ? '' : `/${tab}`}`;
}

export function edgeHref(from: string, to: string): string {
  return `/edges/${[...from.split('/'), ...to.split('/')].map(encodeURIComponent).join('/')}`;
}

/** `ledger` of `pay/ledger`. */
export function shortName(id: string): string {
  return id.slice(id.indexOf('/') + 1);
}
