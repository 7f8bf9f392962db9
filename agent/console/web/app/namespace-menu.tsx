/** Which namespaces are shown: several, kept in `ns`. @module */
import { useMemo } from 'react';
import type { NameIndex } from '../../shapes/mesh.ts';
import { useGet } from '../state/hooks.ts';
import { Menu } from '../ui/menu.tsx';
import { setQuery } from './router.tsx';
import { useRange } from './time.ts';

export function NamespaceMenu() {
  const { namespaces } = useRange();
  const { data, reload } = useGet<NameIndex>('/index');
  const known = useMemo(() => {
    const services = (data?.entries ?? []).filter(({ kind }) => kind === 'service');
    return [...new Set([...services.map(({ name }) => name.split('/')[0]!), ...namespaces])].sort();
  }, [data, namespaces]);
  const label =
    namespaces.length === 0 ? 'All' : namespaces.length < 3 ? namespaces.join(', ') : `${namespaces.length} chosen`;
  const choose = (next: readonly string[]) => setQuery({ ns: next.join(',') }, { replace: false });
  return (
    <Menu label={label} prefix="Namespace" name="Namespaces" onOpen={reload}>
      {() => (
        <>
          <button
            type="button"
            role="menuitemcheckbox"
            aria-checked={namespaces.length === 0}
            onClick={() => choose([])}
          >
            All
          </button>
          {known.map((name) => {
            const isOn = namespaces.includes(name);
            return (
              <button
                type="button"
                role="menuitemcheckbox"
                aria-checked={isOn}
                key={name}
                onClick={() => choose(isOn ? namespaces.filter((other) => other !== name) : [...namespaces, name])}
              >
                {name}
              </button>
            );
          })}
        </>
      )}
    </Menu>
  );
}
