/** Figures that many tables show: failed share in its colour, a service's name as a link. @module */

import { Link } from '../../app/router.tsx';
import { share } from '../../format/numbers.ts';
import { serviceHref, shortName } from './hrefs.ts';

interface Failing {
  readonly appFailedRatio: number | null;
  readonly meshFailedRatio: number | null;
}

/** Null only where neither part is known. */
export function failedRatio({ appFailedRatio, meshFailedRatio }: Failing): number | null {
  if (appFailedRatio === null && meshFailedRatio === null) return null;
  return (appFailedRatio ?? 0) + (meshFailedRatio ?? 0);
}

/** The same bounds as the rule for health without an objective. */
export function failedTone(ratio: number | null): '' | 'is-warn' | 'is-bad' {
  if (ratio === null || ratio < 0.01) return '';
  return ratio >= 0.03 ? 'is-bad' : 'is-warn';
}

/** A total with its two parts in its title. */
export function Failed(props: Failing) {
  const ratio = failedRatio(props);
  const parts = `${share(props.appFailedRatio)} by the application, ${share(props.meshFailedRatio)} by the mesh`;
  return (
    <span className={`${failedTone(ratio)} ${failedTone(ratio) === '' ? '' : 'strong'}`} title={parts}>
      {share(ratio)}
    </span>
  );
}

export function ServiceName({ id, isWhole = false }: { readonly id: string; readonly isWhole?: boolean }) {
  if (!id.includes('/')) return <span>{id}</span>;
  return (
    <Link to={serviceHref(id)} className="strong" title={id}>
      {isWhole ? id : shortName(id)}
    </Link>
  );
}
