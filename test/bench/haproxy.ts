/**
 * HAProxy as its best engineer would set it up for the same job: keep-alive and reuse everywhere, TLS 1.3 both ways,
 * verified, with HTTP/1.1 or HTTP/2 between the hops.
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accepting, PROXY_CORE, pinned, together } from './machine.ts';
import { type CertificateFiles, HOST_NAME, type Proxies } from './proxies.ts';
import { ALL_ROUTES, BACKEND_PORT, between, type Route, TWO_HOPS } from './routes.ts';

/** The tuned ones were found by measurement: without them HTTP/2 opens more connections, and uploads wait for windows. */
const COMMON = `
global
  nbthread 1
  maxconn 8000
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-server-options ssl-min-ver TLSv1.3
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
  ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256
  tune.h2.max-concurrent-streams 512
  tune.h2.initial-window-size 1048576
defaults
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  http-reuse always
  balance roundrobin
`;

/** Two HAProxy hops with mutual TLS 1.3 between them. */
export async function startHaproxy(options: {
  readonly directory: string;
  readonly certificates: CertificateFiles;
  /** What is spoken between the hops. */
  readonly protocol: 'http/1.1' | 'h2';
}): Promise<Proxies> {
  const { directory, certificates: pem, protocol } = options;
  const network = protocol === 'h2' ? '127.0.14' : '127.0.13';
  const first = `${network}.1`;
  const tls = `ssl crt ${pem.both} ca-file ${pem.roots} verify required`;
  const alpn = (route: Route) => (route.protocol === 'http' ? ` alpn ${protocol}` : '');
  const section = (route: Route, name: string, bind: string, servers: readonly string[]): string => `
listen ${name}
  mode ${route.protocol}
  bind ${bind} backlog 4096
${servers.map((server, i) => `  server s${i} ${server} max-reuse -1 pool-max-conn -1`).join('\n')}
`;
  const entries = ALL_ROUTES.map((route) => {
    const servers = route.endpoints.map((endpoint) =>
      route.hops === 1
        ? `${endpoint}:${BACKEND_PORT}`
        : `${between(network, endpoint)} ${tls} verifyhost ${HOST_NAME} sni str(${HOST_NAME})${alpn(route)}`,
    );
    return section(route, route.name, `${first}:${route.entryPort}`, servers);
  });
  const exits = TWO_HOPS.flatMap((route) =>
    route.endpoints.map((endpoint) => {
      const bind = `${between(network, endpoint)} ${tls}${alpn(route)}`;
      return section(route, endpoint, bind, [`${endpoint}:${BACKEND_PORT}`]);
    }),
  );
  mkdirSync(directory, { recursive: true });
  const start = (name: string, sections: readonly string[]) => {
    const file = join(directory, `${name}.cfg`);
    writeFileSync(file, COMMON + sections.join(''));
    return pinned(PROXY_CORE, ['haproxy', '-db', '-f', file], join(directory, `${name}.log`));
  };
  return together(async (own) => {
    const pids = [own(start('second', exits)), own(start('first', entries))];
    for (const { entryPort } of ALL_ROUTES) await accepting(entryPort, first);
    return { address: first, pids };
  });
}
