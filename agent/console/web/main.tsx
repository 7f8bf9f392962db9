/** Starts the console in the browser. @module */
import { createRoot } from 'react-dom/client';
import './theme/fonts.css';
import './theme/tokens.css';
import './theme/base.css';
import { startKeys } from './app/keys.ts';
import { startRouter } from './app/router.tsx';
import { Shell } from './app/shell.tsx';
import { findPage } from './pages/routes.ts';
import { startStream } from './state/store.ts';
import { startTheme } from './theme/theme.ts';

startTheme();
startRouter();
startKeys();
startStream();
void findPage(location.pathname)
  ?.page.load()
  .catch(() => {}); // while the frame is drawn, which tells what fails
createRoot(document.getElementById('app')!).render(<Shell />);
