/** Starts the console in the browser. @module */
import { createRoot } from 'react-dom/client';
import './theme/fonts.css';
import './theme/tokens.css';
import './theme/base.css';
import { startKeys } from './app/keys.ts';
import { startRouter } from './app/router.tsx';
import { Shell } from './app/shell.tsx';
import { startStream } from './state/store.ts';
import { startTheme } from './theme/theme.ts';

startTheme();
startRouter();
startKeys();
startStream();
createRoot(document.getElementById('app')!).render(<Shell />);
