/** The document that something comes from, as a link to it at its line. @module */
import type { Source } from '../../../shapes/common.ts';
import { Link } from '../../app/router.tsx';

/** In the place of a namespace, for documents of the mesh as a whole. */
export const NO_NAMESPACE = '_';

export function SourceChip({ source }: { readonly source: Source | null }) {
  if (source === null) return <span className="chip">default</span>;
  return (
    <Link className="chip" to={hrefOfSource(source)}>
      <span className="muted">{source.kind}</span> <b>{source.name}</b>
      {source.rev !== null && <span className="muted"> rev {source.rev.slice(0, 8)}</span>}
    </Link>
  );
}

export function hrefOfSource({ kind, namespace, name, line }: Source): string {
  const at = [kind, namespace === '' ? NO_NAMESPACE : namespace, name].map(encodeURIComponent).join('/');
  return `/policies/${at}${line === null ? '' : `#L${line}`}`;
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
