/** The kinds this version of the agent understands. Others are stored, passed on, and reported as pending. @module */
import { accessPolicyKind } from './access-policy.ts';
import type { DocumentKind } from './kind.ts';
import { meshConfigKind } from './mesh-config.ts';
import { revocationKind } from './revocation.ts';
import { trustBundleKind } from './trust-bundle.ts';

export const KINDS: ReadonlyMap<string, DocumentKind> = new Map(
  [accessPolicyKind, meshConfigKind, revocationKind, trustBundleKind].map((kind) => [kind.kind, kind]),
);
