/**
 * The operator's key of this tab: in memory only, never stored, gone with the tab, and not to be taken out. Choosing one logs in
 * with it too, since whoever signs has to be known.
 * @module
 */
import { useSyncExternalStore } from 'react';
import { type OperatorKey, readOperatorKey, signLogin } from '../../../signing.ts';
import { forgetSession, get, post } from '../../state/api.ts';

const listeners = new Set<() => void>();
let held: OperatorKey | undefined;

export function useOperatorKey(): OperatorKey | undefined {
  return useSyncExternalStore(subscribe, () => held);
}

/** @throws Error saying what is wrong with the files, or why the node does not let in who they are of */
export async function chooseOperatorKey(files: readonly File[]): Promise<void> {
  const texts = await Promise.all(files.map((file) => file.text()));
  const keyPem = texts.find((text) => text.includes('PRIVATE KEY-----'));
  const certificatePem = texts.find((text) => text.includes('BEGIN CERTIFICATE-----'));
  if (keyPem === undefined) throw new Error('No private key in these files; choose operator.key as well');
  if (certificatePem === undefined) throw new Error('No certificate in these files; choose operator.crt as well');
  const key = await readOperatorKey(keyPem, certificatePem);
  const { nonce, trustDomain } = await get<{ nonce: string; trustDomain: string }>('/login');
  await logIn(await signLogin(key, { nonce, trustDomain, host: location.host }));
  hold(key);
}

export function forgetOperatorKey(): void {
  hold(undefined);
  void post('/logout', {}).finally(forgetSession);
}

/** No session yet, and so no token either. */
async function logIn(body: Record<string, string>): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch('/api/v1/login', { method: 'POST', headers, body: JSON.stringify(body) });
  forgetSession();
  if (response.ok) return;
  const { error = '' } = (await response.json().catch(() => ({}))) as { error?: string };
  throw new Error(`The node did not let the key in: ${error || response.status}`);
}

function hold(key: OperatorKey | undefined): void {
  held = key;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
