/** What the agent says of a document while it is written: asked 150 ms after the last key, the last answer kept meanwhile. @module */
import { useEffect, useState } from 'react';
import type { DocumentCheck } from '../../../shapes/mesh.ts';
import { type ApiError, post } from '../../state/api.ts';
import { asApiError } from '../../state/hooks.ts';

const WAIT_MS = 150;

export interface Check {
  readonly data: DocumentCheck | undefined;
  readonly error: ApiError | undefined;
  /** The answer is about the text as it is now. */
  readonly isCurrent: boolean;
  readonly again: () => void;
}

/** What is to be checked: a document as it is written, or which one is to be deleted. */
export type CheckAsked =
  | { readonly yaml: string }
  | { readonly deletes: { readonly kind: string; readonly namespace: string; readonly name: string } };

/** @param what null asks nothing */
export function useCheck(what: CheckAsked | null): Check {
  const asked = what === null ? null : JSON.stringify(what);
  const [turn, setTurn] = useState(0);
  const [got, setGot] = useState<{ asked: string; data?: DocumentCheck; error?: ApiError }>();
  useEffect(() => {
    if (asked === null) return;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      post<DocumentCheck>('/documents/check', JSON.parse(asked), abort.signal).then(
        (data) => setGot({ asked, data }),
        (error) => abort.signal.aborted || setGot({ asked, error: asApiError(error) }),
      );
    }, WAIT_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [asked, turn]);
  return {
    data: asked === null ? undefined : got?.data,
    error: got?.error,
    isCurrent: got !== undefined && got.asked === asked,
    again: () => setTurn((value) => value + 1),
  };
}
