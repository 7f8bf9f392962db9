/** Certificates for the proxies that are not Weft: ECDSA P-256, as Weft's are. @module */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CertificateFiles, HOST_NAME } from './proxies.ts';

/** A root, and a leaf with the host name that proxies check. */
export function makeCertificates(home: string): CertificateFiles {
  mkdirSync(home);
  const issue = (name: string, ...args: string[]) => {
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
    const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`];
    execFileSync('openssl', ['req', '-x509', ...newKey, ...files, ...args], {
      cwd: home,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  };
  issue('root', '-subj', '/CN=root');
  const extensions = [`subjectAltName=DNS:${HOST_NAME}`, 'basicConstraints=CA:FALSE'];
  const byRoot = ['-CA', 'root.crt', '-CAkey', 'root.key', '-subj', `/CN=${HOST_NAME}`];
  issue('leaf', ...byRoot, ...extensions.flatMap((extension) => ['-addext', extension]));
  const [chain, key, both] = [join(home, 'leaf.crt'), join(home, 'leaf.key'), join(home, 'leaf.pem')];
  writeFileSync(both, readFileSync(chain, 'utf8') + readFileSync(key, 'utf8'));
  return { chain, key, both, roots: join(home, 'root.crt') };
}
