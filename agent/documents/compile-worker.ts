/** Entry of the worker that compiles documents: see compiler.ts. @module */
import { serveCompiles } from './compile-thread.ts';
import { KINDS } from './kinds.ts';

serveCompiles(KINDS);
