/**
 * A rotation as JSON: what the document of kind TrustBundle carries, and what lies beside the roots of a trust domain and
 * of a node, so that both know how far they have followed.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { CertsError } from './errors.ts';
import { listDirectory, readPublic, writePublic } from './files.ts';
import {
  isSameSet,
  type RootSignature,
  type RootsStatement,
  type Rotation,
  type TrustedRoots,
} from './root-rotation.ts';
import type { TrustBundle } from './trust-bundle.ts';

/** Statements kept: a node that was away during fewer can catch up. A rotation takes two. */
export const MAX_STATEMENTS = 16;
/** The old and the new root, with room. */
export const MAX_STATED_ROOTS = 4;
export const MAX_STATED_ISSUERS = 16;
const FILE = 'rotation.json';

/** Bytes are base64. */
export interface RotationJson {
  readonly statements: readonly {
    readonly sequence: number;
    readonly roots: readonly string[];
    readonly signatures: readonly { readonly root: string; readonly signature: string }[];
  }[];
  readonly issuers: readonly string[];
}

export function rotationToJson({ statements, issuers }: Rotation): RotationJson {
  return {
    statements: statements.slice(-MAX_STATEMENTS).map(({ sequence, roots, signatures }) => ({
      sequence,
      roots: roots.map(({ raw }) => base64(raw)),
      signatures: signatures.map(({ root, signature }) => ({ root, signature: base64(signature) })),
    })),
    issuers: issuers.map(({ raw }) => base64(raw)),
  };
}

/**
 * @param source where it came from, for the message
 * @throws CertsError when it is no rotation, or larger than one can be
 */
export function rotationFromJson(json: unknown, source: string): Rotation {
  try {
    const { statements, issuers } = json as Record<string, unknown>;
    return {
      statements: list(statements, MAX_STATEMENTS).map(toStatement),
      issuers: list(issuers, MAX_STATED_ISSUERS).map(toCertificate),
    };
  } catch (err) {
    throw new CertsError('WEFT_CERTS_ROTATION_MALFORMED', source, { cause: err });
  }
}

/** @returns undefined where no root was ever rotated. @throws CertsError when the file is damaged */
export function readRotation(directory: string): Rotation | undefined {
  if (!listDirectory(directory).includes(FILE)) return undefined;
  const file = join(directory, FILE);
  const text = readPublic(file);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (err) {
    throw new CertsError('WEFT_CERTS_ROTATION_MALFORMED', file, { cause: err });
  }
  return rotationFromJson(json, file);
}

export function writeRotation(directory: string, rotation: Rotation): void {
  writePublic(join(directory, FILE), `${JSON.stringify(rotationToJson(rotation), null, 2)}\n`);
}

/** A new bundle, perhaps of another trust domain, begins anew. */
export function forgetRotation(directory: string): void {
  rmSync(join(directory, FILE), { force: true });
}

/** How far somebody has followed, by what lies beside its roots; 0 when that speaks of other roots than these. */
export function followedSoFar(trust: TrustBundle, rotation: Rotation | undefined): TrustedRoots {
  const last = rotation?.statements.at(-1);
  return { trust, sequence: last !== undefined && isSameSet(last.roots, trust.roots) ? last.sequence : 0 };
}

function toStatement(json: unknown): RootsStatement {
  const { sequence, roots, signatures } = json as Record<string, unknown>;
  if (!Number.isSafeInteger(sequence) || (sequence as number) < 1) throw new Error('a sequence that is no number');
  return {
    sequence: sequence as number,
    roots: list(roots, MAX_STATED_ROOTS).map(toCertificate),
    signatures: list(signatures, MAX_STATED_ROOTS).map(toSignature),
  };
}

function toSignature(json: unknown): RootSignature {
  const { root, signature } = json as Record<string, unknown>;
  if (typeof root !== 'string' || typeof signature !== 'string') throw new Error('a signature that is none');
  return { root, signature: Buffer.from(signature, 'base64') };
}

function toCertificate(json: unknown): X509Certificate {
  if (typeof json !== 'string') throw new Error('a certificate that is none');
  return new X509Certificate(Buffer.from(json, 'base64'));
}

function list(json: unknown, max: number): unknown[] {
  if (!Array.isArray(json) || json.length > max) throw new Error(`not a list of up to ${max}`);
  return json;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
