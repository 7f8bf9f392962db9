/** nginx as its best engineer would set it up for the same job: keep-alive everywhere, TLS 1.3 both ways, verified. @module */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accepting, LOAD_CORE, PROXY_CORE, pinned, stop } from './machine.ts';
import type { Proxies } from './proxies.ts';

const COMMON = `
worker_processes 1;
daemon off;
error_log /dev/stderr error;
events { worker_connections 8192; multi_accept on; }
`;

const HTTP = (directory: string): string => `
  access_log off;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
`;

/** An HTTP server that answers 49 bytes: what all proxies are measured in front of. */
export async function startBackend(directory: string, address: string, port: number): Promise<AsyncDisposable> {
  const home = ready(directory, 'backend');
  const config = `${COMMON} pid ${home}/pid; http { ${HTTP(home)}
    server { listen ${address}:${port} backlog=4096 reuseport; location / { return 200 "forty-nine bytes of answer, and not a byte more.\\n"; } } }`;
  return start({ home, config, core: LOAD_CORE, address, port });
}

/** Two nginx hops with mutual TLS 1.3 between them. */
export async function startNginx(options: {
  readonly directory: string;
  readonly certificates: { readonly chain: string; readonly key: string; readonly roots: string };
  readonly ports: { readonly entry: number; readonly between: number; readonly backend: number };
}): Promise<Proxies> {
  const { certificates: pem, ports } = options;
  const second = ready(options.directory, 'nginx-second');
  const first = ready(options.directory, 'nginx-first');
  const tls = 'ssl_protocols TLSv1.3; ssl_session_tickets on;';
  const secondConfig = `${COMMON} pid ${second}/pid; http { ${HTTP(second)}
    upstream backend { server 127.0.0.1:${ports.backend}; keepalive 1024; keepalive_requests 1000000000; }
    server { listen 127.0.0.1:${ports.between} ssl backlog=4096 reuseport; ${tls}
      ssl_certificate ${pem.chain}; ssl_certificate_key ${pem.key};
      ssl_client_certificate ${pem.roots}; ssl_verify_client on; ssl_verify_depth 4;
      location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; } } }`;
  const firstConfig = `${COMMON} pid ${first}/pid; http { ${HTTP(first)}
    upstream second { server 127.0.0.1:${ports.between}; keepalive 1024; keepalive_requests 1000000000; }
    server { listen 127.0.0.1:${ports.entry} backlog=4096 reuseport;
      location / { proxy_pass https://second; proxy_http_version 1.1; proxy_set_header Connection "";
        proxy_ssl_protocols TLSv1.3; proxy_ssl_certificate ${pem.chain}; proxy_ssl_certificate_key ${pem.key};
        proxy_ssl_trusted_certificate ${pem.roots}; proxy_ssl_verify on; proxy_ssl_verify_depth 4; proxy_ssl_name bench.weft;
        proxy_ssl_server_name on; proxy_ssl_session_reuse on; } } }`;
  const secondHop = await start({
    home: second,
    config: secondConfig,
    core: PROXY_CORE,
    address: '127.0.0.1',
    port: ports.between,
  });
  const firstHop = await start({
    home: first,
    config: firstConfig,
    core: PROXY_CORE,
    address: '127.0.0.1',
    port: ports.entry,
  });
  return {
    url: `http://127.0.0.1:${ports.entry}/`,
    pids: [firstHop.pid, secondHop.pid],
    [Symbol.asyncDispose]: async () => {
      await firstHop[Symbol.asyncDispose]();
      await secondHop[Symbol.asyncDispose]();
    },
  };
}

function ready(directory: string, name: string): string {
  const home = join(directory, name);
  mkdirSync(home, { recursive: true });
  return home;
}

async function start(options: { home: string; config: string; core: string; address: string; port: number }) {
  const file = join(options.home, 'nginx.conf');
  writeFileSync(file, options.config);
  const child = pinned(options.core, ['nginx', '-p', options.home, '-c', file], join(options.home, 'log'));
  await accepting(options.port, options.address);
  return { pid: child.pid!, [Symbol.asyncDispose]: () => stop(child) };
}
