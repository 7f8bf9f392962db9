/** nginx as its best engineer would set it up for the same job: keep-alive everywhere, TLS 1.3 both ways, verified. @module */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accepting, LOAD_CORE, PROXY_CORE, pinned, together } from './machine.ts';
import { type CertificateFiles, HOST_NAME, type Proxies } from './proxies.ts';
import { ALL_ROUTES, BACKEND_PORT, between, type Route, TWO_HOPS, WEB_ROUTES } from './routes.ts';

const NETWORK = '127.0.12';
const FIRST = `${NETWORK}.1`;
const TLS_1_3 = (directive: string): string =>
  `${directive}_protocols TLSv1.3; ${directive}_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;`;

/** An HTTP server in front of which all proxies are measured: 49 bytes, 1 KiB, 64 KiB, 1 GiB. */
export async function startBackend(options: {
  readonly directory: string;
  /** With the files it serves. */
  readonly root: string;
}): Promise<AsyncDisposable> {
  const addresses = WEB_ROUTES.flatMap(({ endpoints }) => endpoints);
  const config = http(`
    sendfile on; tcp_nopush on; open_file_cache max=16; root ${options.root};
    server {
      ${addresses.map((address) => `listen ${address}:${BACKEND_PORT} backlog=4096;`).join(' ')}
      location = / { return 200 "forty-nine bytes of answer, and not a byte more.\\n"; }
    }`);
  return together(async (own) => {
    own(start(join(options.directory, 'backend'), config, LOAD_CORE));
    for (const address of addresses) await accepting(BACKEND_PORT, address);
    return {};
  });
}

/** Two nginx hops with mutual TLS 1.3 between them. */
export async function startNginx(options: {
  readonly directory: string;
  readonly certificates: CertificateFiles;
}): Promise<Proxies> {
  const { directory, certificates } = options;
  const ofProtocol = (protocol: Route['protocol'], routes: readonly Route[]) =>
    routes.filter((route) => route.protocol === protocol);
  const configOf = (routes: readonly Route[], section: (route: Route) => string): string =>
    http(ofProtocol('http', routes).map(section).join('\n')) +
    stream(ofProtocol('tcp', routes).map(section).join('\n'));
  const [first, second] = [join(directory, 'first'), join(directory, 'second')];
  const exitsConfig = configOf(TWO_HOPS, (route) => exits(route, certificates));
  const entriesConfig = configOf(ALL_ROUTES, (route) => entry(route, certificates));
  return together(async (own) => {
    const pids = [own(start(second, exitsConfig, PROXY_CORE)), own(start(first, entriesConfig, PROXY_CORE))];
    for (const { entryPort } of ALL_ROUTES) await accepting(entryPort, FIRST);
    return { address: FIRST, pids };
  });
}

/** Where load enters the first hop. */
function entry({ name, protocol, hops, entryPort, endpoints }: Route, pem: CertificateFiles): string {
  const servers = endpoints.map((endpoint) =>
    hops === 1 ? `${endpoint}:${BACKEND_PORT}` : between(NETWORK, endpoint),
  );
  const tls =
    hops === 1
      ? ''
      : `proxy_ssl_certificate ${pem.chain}; proxy_ssl_certificate_key ${pem.key}; ${TLS_1_3('proxy_ssl')}
         proxy_ssl_trusted_certificate ${pem.roots}; proxy_ssl_verify on; proxy_ssl_verify_depth 4;
         proxy_ssl_name ${HOST_NAME}; proxy_ssl_server_name on; proxy_ssl_session_reuse on;`;
  const isTls = hops === 2 ? 'proxy_ssl on;' : '';
  const pass =
    protocol === 'tcp' ? `proxy_pass ${name}; ${isTls}` : passing(`${hops === 2 ? 'https' : 'http'}://${name}`);
  return `${upstream(name, protocol, servers)}
    server { listen ${FIRST}:${entryPort} backlog=4096; ${tls} ${pass} }`;
}

/** What the second hop listens on for the endpoints of a route. */
function exits({ name, protocol, endpoints }: Route, pem: CertificateFiles): string {
  const tls = `ssl_certificate ${pem.chain}; ssl_certificate_key ${pem.key}; ${TLS_1_3('ssl')} ssl_session_tickets on;
    ssl_client_certificate ${pem.roots}; ssl_verify_client on; ssl_verify_depth 4;`;
  const one = (endpoint: string, i: number): string => {
    const pass = protocol === 'tcp' ? `proxy_pass ${name}-${i};` : passing(`http://${name}-${i}`);
    return `${upstream(`${name}-${i}`, protocol, [`${endpoint}:${BACKEND_PORT}`])}
      server { listen ${between(NETWORK, endpoint)} ssl backlog=4096; ${tls} ${pass} }`;
  };
  return endpoints.map(one).join('\n');
}

function upstream(name: string, protocol: Route['protocol'], servers: readonly string[]): string {
  const keepAlive = protocol === 'http' ? 'keepalive 1024; keepalive_requests 1000000000;' : '';
  return `upstream ${name} { ${servers.map((server) => `server ${server};`).join(' ')} ${keepAlive} }`;
}

/** Bodies stream both ways and never touch a disk; WebSocket passes. */
function passing(url: string): string {
  return `location / { proxy_pass ${url}; proxy_http_version 1.1; proxy_request_buffering off; proxy_max_temp_file_size 0;
    proxy_buffer_size 16k; proxy_buffers 16 16k; client_max_body_size 0;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $passed_connection; }`;
}

function http(content: string): string {
  return `http {
    access_log off; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 300s;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    map $http_upgrade $passed_connection { default upgrade; '' ''; }
    ${content} }
`;
}

function stream(content: string): string {
  return `stream { tcp_nodelay on; proxy_half_close on; ${content} }
`;
}

function start(home: string, config: string, core: string) {
  mkdirSync(home, { recursive: true });
  const file = join(home, 'nginx.conf');
  const common = `user root; worker_processes 1; daemon off; pid ${home}/pid; error_log /dev/stderr error;
    load_module /usr/lib/nginx/modules/ngx_stream_module.so;
    events { worker_connections 8192; multi_accept on; }
`;
  writeFileSync(file, common + config);
  return pinned(core, ['nginx', '-p', home, '-c', file], join(home, 'log'));
}
