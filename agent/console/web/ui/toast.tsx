/** Short news of what you did; errors stay in their place instead. Six seconds, longer while the pointer or focus is on it. @module */
import { useState, useSyncExternalStore } from 'react';
import { clockSeconds } from '../format/times.ts';
import './toast.css';

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly atMs: number;
}
const SHOWN_MS = 6_000;
/** The last are kept for the log. */
const MAX_LOG = 50;
const listeners = new Set<() => void>();
let shown: readonly Toast[] = [];
let log: readonly Toast[] = [];
let nextId = 1;

export function showToast(text: string): void {
  const toast = { id: nextId, text, atMs: Date.now() };
  nextId += 1;
  log = [toast, ...log].slice(0, MAX_LOG);
  set([...shown, toast]);
  hideLater(toast);
}

export const toastLog = (): readonly Toast[] => log;
let isHeld = false;

export function Toasts() {
  const toasts = useSyncExternalStore(subscribe, () => shown);
  const [, setHeld] = useState(false);
  const hold = (held: boolean) => {
    isHeld = held;
    setHeld(held);
  };
  return (
    <div
      className="toasts"
      role="status"
      aria-live="polite"
      onPointerEnter={() => hold(true)}
      onPointerLeave={() => hold(false)}
      onFocus={() => hold(true)}
      onBlur={() => hold(false)}
    >
      {toasts.map(({ id, text, atMs }) => (
        <p key={id} title={clockSeconds(atMs)}>
          {text}
        </p>
      ))}
    </div>
  );
}

function hideLater(toast: Toast): void {
  setTimeout(() => (isHeld ? hideLater(toast) : set(shown.filter((other) => other !== toast))), SHOWN_MS);
}

function set(next: readonly Toast[]): void {
  shown = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
