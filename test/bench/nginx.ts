/** nginx as its best engineer would set it up for the same job: keep-alive everywhere, TLS 1.3 both ways, verified. @module */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accepting, LOAD_CORE, PROXY_CORE, pinned, together } from './machine.ts';
import { type CertificateFiles, HOST_NAME, type Proxies } from './proxies.ts';
import { ALL_ROUTES, BACKEND_ADDRESSES, betweenPort, type Route, WEB_ROUTES } from './routes.ts';

const ADDRESSES = { first: '127.0.12.1', second: '127.0.12.2' } as const;
const TLS_1_3 = (directive: string): string =>
  `${directive}_protocols TLSv1.3; ${directive}_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;`;

/** An HTTP server in front of which all proxies are measured: 49 bytes, 1 KiB, 64 KiB, 1 GiB. */
export async function startBackend(options: {
  readonly directory: string;
  /** With the files it serves. */
  readonly root: string;
}): Promise<AsyncDisposable> {
  const listens = WEB_ROUTES.flatMap(({ backendPorts, hops }) =>
    backendPorts.map((port) => ({ address: BACKEND_ADDRESSES[hops], port })),
  );
  const config = http(`
    sendfile on; tcp_nopush on; open_file_cache max=16; root ${options.root};
    server {
      ${listens.map(({ address, port }) => `listen ${address}:${port} backlog=4096;`).join(' ')}
      location = / { return 200 "forty-nine bytes of answer, and not a byte more.\\n"; }
    }`);
  return together(async (own) => {
    own(start(join(options.directory, 'backend'), config, LOAD_CORE));
    for (const { address, port } of listens) await accepting(port, address);
    return {};
  });
}

/** Two nginx hops with mutual TLS 1.3 between them. */
export async function startNginx(options: {
  readonly directory: string;
  readonly certificates: CertificateFiles;
}): Promise<Proxies> {
  const { directory, certificates } = options;
  const twoHops = ALL_ROUTES.filter(({ hops }) => hops === 2);
  const ofProtocol = (protocol: Route['protocol'], routes: readonly Route[]) =>
    routes.filter((route) => route.protocol === protocol);
  const configOf = (routes: readonly Route[], section: (route: Route) => string): string =>
    http(ofProtocol('http', routes).map(section).join('\n')) +
    stream(ofProtocol('tcp', routes).map(section).join('\n'));
  const [first, second] = [join(directory, 'first'), join(directory, 'second')];
  const endpointsConfig = configOf(twoHops, (route) => endpoints(route, certificates));
  const entriesConfig = configOf(ALL_ROUTES, (route) => entry(route, certificates));
  return together(async (own) => {
    const pids = [own(start(second, endpointsConfig, PROXY_CORE)), own(start(first, entriesConfig, PROXY_CORE))];
    for (const port of twoHops.flatMap(({ backendPorts }) => backendPorts))
      await accepting(betweenPort(port), ADDRESSES.second);
    for (const { entryPort } of ALL_ROUTES) await accepting(entryPort, ADDRESSES.first);
    return { address: ADDRESSES.first, pids };
  });
}

/** Where load enters the first hop. */
function entry({ name, protocol, hops, entryPort, backendPorts }: Route, pem: CertificateFiles): string {
  const servers = backendPorts.map((port) =>
    hops === 1 ? `${BACKEND_ADDRESSES[1]}:${port}` : `${ADDRESSES.second}:${betweenPort(port)}`,
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
    server { listen ${ADDRESSES.first}:${entryPort} backlog=4096; ${tls} ${pass} }`;
}

/** What the second hop listens on for the endpoints of a route. */
function endpoints({ name, protocol, backendPorts }: Route, pem: CertificateFiles): string {
  const tls = `ssl_certificate ${pem.chain}; ssl_certificate_key ${pem.key}; ${TLS_1_3('ssl')} ssl_session_tickets on;
    ssl_client_certificate ${pem.roots}; ssl_verify_client on; ssl_verify_depth 4;`;
  const one = (port: number): string => {
    const pass = protocol === 'tcp' ? `proxy_pass ${name}-${port};` : passing(`http://${name}-${port}`);
    return `${upstream(`${name}-${port}`, protocol, [`${BACKEND_ADDRESSES[2]}:${port}`])}
      server { listen ${ADDRESSES.second}:${betweenPort(port)} ssl backlog=4096; ${tls} ${pass} }`;
  };
  return backendPorts.map(one).join('\n');
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
  return `stream { tcp_nodelay on; ${content} }
`;
}

function start(home: string, config: string, core: string) {
  mkdirSync(home, { recursive: true });
  const file = join(home, 'nginx.conf');
  const common = `worker_processes 1; daemon off; pid ${home}/pid; error_log /dev/stderr error;
    load_module /usr/lib/nginx/modules/ngx_stream_module.so;
    events { worker_connections 8192; multi_accept on; }
`;
  writeFileSync(file, common + config);
  return pinned(core, ['nginx', '-p', home, '-c', file], join(home, 'log'));
}
