#!/usr/bin/env -S node --max-semi-space-size=2
/**
 * The `weft` command. The flag above keeps the control and mesh threads small, which make little garbage; data-plane
 * workers, which make much, set their own.
 * @module
 */
import { runCli } from './cli/cli.ts';
import { processIo } from './cli/io.ts';

process.exitCode = await runCli(process.argv.slice(2), processIo());
