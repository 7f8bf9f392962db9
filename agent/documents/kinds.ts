/** The kinds this version of the agent understands. Others are stored, passed on, and reported as pending. @module */
import type { DocumentKind } from './kind.ts';
import { meshConfigKind } from './mesh-config.ts';

export const KINDS: ReadonlyMap<string, DocumentKind> = new Map([meshConfigKind].map((kind) => [kind.kind, kind]));
