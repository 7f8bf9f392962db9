/** How the console's web part is bundled; scripts/console.ts runs it. @module */
import { join } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const root = import.meta.dirname;

export default defineConfig({
  root,
  base: '/',
  publicDir: false,
  plugins: [react()],
  build: {
    outDir: join(root, '../../../dist/agent/console/web'),
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0, // the content security policy allows no data: but images
    modulePreload: { polyfill: false },
    cssCodeSplit: false, // one file compresses better than nine, and pages share most of it
    reportCompressedSize: false,
    rolldownOptions: { checks: { pluginTimings: false } },
    chunkSizeWarningLimit: 600, // kB before gzip; test/agent/console/web/budget.test.ts holds the real budget
  },
  worker: { format: 'es' },
});
