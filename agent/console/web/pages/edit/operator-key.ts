/** The operator's key of this tab: in memory, never stored, gone with the tab. @module */
import { useSyncExternalStore } from 'react';
import type { OperatorKey } from '../../editor/sign.ts';

const listeners = new Set<() => void>();
let held: OperatorKey | undefined;

export function useOperatorKey(): OperatorKey | undefined {
  return useSyncExternalStore(subscribe, () => held);
}

export function holdOperatorKey(key: OperatorKey | undefined): void {
  held = key;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
