/** Single keys and pairs of them (`g t`); off while one types, and as a whole where somebody turned them off (WCAG 2.1.4). @module */
import { useEffect, useRef } from 'react';

export interface KeyAction {
  /** `g t`, `F`, `Ctrl+K`, `Shift+Enter`, `[`: as the help lists it. Letters match in either case. */
  readonly keys: string;
  readonly does: string;
  /** Returning false lets the browser have the key. */
  readonly run: () => unknown;
  /** Heading in the help. */
  readonly group?: string;
}

const KEY = 'weft.keys';
const PAIR_MS = 1_000;
const layers: KeyAction[][] = [];
let first = '';
let firstAtMs = 0;

export function areKeysOn(): boolean {
  return localStorage.getItem(KEY) !== 'off';
}
export function setKeysOn(isOn: boolean): void {
  localStorage.setItem(KEY, isOn ? 'on' : 'off');
}

/** What works now, newest layer first; for the help. */
export function keyActions(): readonly KeyAction[] {
  const seen = new Set<string>();
  return layers
    .toReversed()
    .flat()
    .filter(({ keys }) => !seen.has(keys) && seen.add(keys));
}

/** Works while the component is there; what came last goes first. */
export function useKeys(actions: readonly KeyAction[]): void {
  const layer = useRef<KeyAction[]>([]);
  useEffect(() => {
    layer.current.splice(0, Number.POSITIVE_INFINITY, ...actions);
  });
  useEffect(() => {
    const own = layer.current;
    layers.push(own);
    return () => {
      layers.splice(layers.indexOf(own), 1);
    };
  }, []);
}

export function startKeys(): void {
  addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const name = nameOf(event);
    const isSingle = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (isSingle && (isTyping(event.target) || !areKeysOn()) && name !== 'escape') return;
    const pair = event.timeStamp - firstAtMs < PAIR_MS && first !== '' ? `${first} ${name}` : '';
    const action = (pair !== '' && find(pair)) || find(name);
    first = isSingle && action === undefined ? name : '';
    firstAtMs = event.timeStamp;
    if (action === undefined) return;
    // Enter and Space belong to the button or link that has the focus.
    if ((name === 'enter' || name === ' ') && (event.target as Element).closest('a,button,summary,select')) return;
    if (action.run() !== false) event.preventDefault();
  });
}

function find(name: string): KeyAction | undefined {
  for (const layer of layers.toReversed()) {
    const found = layer.find(({ keys }) => keys.toLowerCase().split(' or ').includes(name));
    if (found !== undefined) return found;
  }
  return undefined;
}

function nameOf(event: KeyboardEvent): string {
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) return `ctrl+${key}`;
  return event.shiftKey && (key === 'enter' || key.startsWith('arrow')) ? `shift+${key}` : key;
}

function isTyping(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return element?.closest?.('input:not([type=checkbox]):not([type=radio]),textarea,select,[contenteditable]') != null;
}
