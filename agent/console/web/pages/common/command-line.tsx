/** The command that shows what the page shows. `Y` copies it. @module */
import { useKeys } from '../../app/keys.ts';
import { CopyButton } from '../../ui/button.tsx';
import { showToast } from '../../ui/toast.tsx';
import './pages.css';

export function CommandLine({ command }: { readonly command: string }) {
  useKeys([{ keys: 'Y', does: 'Copy the command of this page', group: 'Everywhere', run: () => copy(command) }]);
  return (
    <p className="command-line">
      <span className="muted">The same on the command line</span>
      <code>{command}</code>
      <CopyButton text={command} />
    </p>
  );
}

export async function copy(text: string): Promise<void> {
  await navigator.clipboard.writeText(text);
  showToast('Copied');
}
