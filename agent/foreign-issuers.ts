/** The issuers of other meshes that the configuration lists, read from their files. @module */
import { readFileSync } from 'node:fs';
import { CertsError } from '../certs/errors.ts';
import { type ForeignIssuerSpec, parseForeignIssuers } from '../certs/foreign-issuer.ts';
import type { AgentConfig } from './config.ts';

/** @throws CertsError that names the file, so that an agent does not start with fewer callers than its config says */
export function loadForeignIssuers({ certs }: Pick<AgentConfig, 'certs'>): readonly ForeignIssuerSpec[] {
  const specs = certs.foreignIssuers.map(({ certificate: file, grant }) => ({
    name: file,
    certificatePem: read(file),
    grant,
  }));
  parseForeignIssuers(specs);
  return specs;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CertsError('WEFT_CERTS_FILE_UNREADABLE', `certs.foreignIssuers: ${file}`, { cause });
  }
}
