/** Choosing the operator's key: two files, read here and sent nowhere. @module */
import { useState } from 'react';
import { chooseOperatorKey } from './operator-key.ts';
import './pages.css';

export function KeyField({ onChosen }: { readonly onChosen?: () => void }) {
  const [problem, setProblem] = useState<string>();
  const choose = async (files: FileList | null) => {
    if (files === null || files.length === 0) return;
    setProblem(undefined);
    try {
      await chooseOperatorKey([...files]);
      onChosen?.();
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  return (
    <>
      <label className="control key-field">
        Choose operator.key and operator.crt
        <input type="file" multiple className="unseen" onChange={(event) => choose(event.target.files)} />
      </label>
      {problem !== undefined && (
        <p className="is-bad" role="alert">
          {problem}
        </p>
      )}
    </>
  );
}
