/** From what is known of a process to its language and framework. Pure. @module */

/** What was read of a process, each part bounded. */
export interface ProcessClues {
  /** Path of its executable, as the kernel has it; empty where it could not be read. */
  readonly exe: string;
  readonly argv: readonly string[];
  /** Paths of files that it has mapped. */
  readonly mapped: readonly string[];
  /** `go1.24.1`; undefined for other programs. */
  readonly goVersion?: string;
  /** Go modules, npm, pip, gem and composer packages, jars: what it is made with, or what is installed beside it. */
  readonly packages: readonly string[];
  /** Compilers that left their name in the executable. */
  readonly compilers: readonly string[];
  /** Of node, java and others, where a file beside the executable says it. */
  readonly version?: string;
}

export interface Guess {
  /** `Node 26`, `Go 1.24`. */
  readonly language?: string;
  /** `Express`, `Spring Boot`. */
  readonly framework?: string;
  /** A program that people know by its name: nginx, PostgreSQL. */
  readonly software?: string;
  /** How it is known: `executable`, `build info`. */
  readonly by: string;
}

const SOFTWARE: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/^nginx$/, 'nginx'],
  [/^(httpd|apache2)$/, 'Apache httpd'],
  [/^envoy$/, 'Envoy'],
  [/^haproxy$/, 'HAProxy'],
  [/^traefik$/, 'Traefik'],
  [/^caddy$/, 'Caddy'],
  [/^redis-server$/, 'Redis'],
  [/^valkey-server$/, 'Valkey'],
  [/^postgres$/, 'PostgreSQL'],
  [/^(mysqld|mariadbd)$/, 'MySQL'],
  [/^mongod$/, 'MongoDB'],
  [/^memcached$/, 'memcached'],
  [/^nats-server$/, 'NATS'],
  [/^etcd$/, 'etcd'],
];

/** Those that others are built on come last: Nest runs on Express. */
const FRAMEWORKS: Readonly<Record<string, readonly (readonly [pattern: RegExp, name: string])[]>> = {
  Node: [
    [/^@nestjs\/core$/, 'NestJS'],
    [/^next$/, 'Next.js'],
    [/^nuxt$/, 'Nuxt'],
    [/^@apollo\/server$/, 'Apollo Server'],
    [/^fastify$/, 'Fastify'],
    [/^koa$/, 'Koa'],
    [/^@hapi\/hapi$/, 'hapi'],
    [/^hono$/, 'Hono'],
    [/^express$/, 'Express'],
    [/^@grpc\/grpc-js$/, 'gRPC'],
  ],
  Python: [
    [/^fastapi$/, 'FastAPI'],
    [/^django$/, 'Django'],
    [/^flask$/, 'Flask'],
    [/^aiohttp$/, 'aiohttp'],
    [/^tornado$/, 'Tornado'],
    [/^starlette$/, 'Starlette'],
    [/^grpcio$/, 'gRPC'],
  ],
  Java: [
    [/^spring-boot/, 'Spring Boot'],
    [/^quarkus/, 'Quarkus'],
    [/^micronaut/, 'Micronaut'],
    [/^(tomcat|catalina)/, 'Tomcat'],
    [/^jetty/, 'Jetty'],
    [/^vertx/, 'Vert.x'],
  ],
  Go: [
    [/^github\.com\/gin-gonic\/gin$/, 'Gin'],
    [/^github\.com\/labstack\/echo/, 'Echo'],
    [/^github\.com\/gofiber\/fiber/, 'Fiber'],
    [/^github\.com\/go-chi\/chi/, 'chi'],
    [/^google\.golang\.org\/grpc$/, 'gRPC'],
  ],
  Ruby: [
    [/^rails$/, 'Rails'],
    [/^sinatra$/, 'Sinatra'],
    [/^hanami$/, 'Hanami'],
    [/^puma$/, 'Puma'],
  ],
  PHP: [
    [/^laravel\/framework$/, 'Laravel'],
    [/^symfony\/framework-bundle$/, 'Symfony'],
    [/^slim\/slim$/, 'Slim'],
  ],
  '.NET': [[/^Microsoft\.AspNetCore(\.dll)?$/, 'ASP.NET Core']],
};

/** Undefined where nothing is known of it. */
export function guessRuntime(clues: ProcessClues): Guess | undefined {
  const { goVersion, packages, compilers } = clues;
  const name = baseName(clues.exe);
  const software = SOFTWARE.find(([pattern]) => pattern.test(name))?.[1];
  const known = language(name, clues);
  if (known !== undefined) {
    const { family, ...guess } = known;
    return { ...guess, ...framework(family, packages), ...(software && { software }) };
  }
  if (goVersion !== undefined) {
    const version = /^go(\d+\.\d+)/.exec(goVersion)?.[1] ?? '';
    const guess = { language: `Go ${version}`.trim(), by: 'build info' };
    return { ...guess, ...framework('Go', packages), ...(software && { software }) };
  }
  const rust = compilers.find((text) => text.startsWith('rustc version '));
  if (rust !== undefined) {
    const version = /rustc version (\d+\.\d+)/.exec(rust)?.[1] ?? '';
    return { language: `Rust ${version}`.trim(), by: 'build info', ...(software && { software }) };
  }
  return software === undefined ? undefined : { software, by: 'executable' };
}

interface Known {
  readonly family: string;
  readonly language: string;
  readonly by: string;
}

function language(name: string, { argv, mapped, exe, version = '' }: ProcessClues): Known | undefined {
  const of = (family: string, text = '', by = 'executable'): Known => ({
    family,
    language: `${family} ${text}`.trim(),
    by,
  });
  const interpreted = /^(python|ruby|php-fpm|php|perl|deno|bun|lua)(\d+(\.\d+)?)?/.exec(name);
  if (/^node(js)?$/.test(name)) {
    return of('Node', major(version) || (/[/@-]v?(\d+)\.\d+\.\d+(\/|$)/.exec(exe)?.[1] ?? ''));
  }
  if (interpreted?.[1] === 'python') return of('Python', interpreted[2] ?? versionIn(mapped, /libpython(\d+\.\d+)/));
  if (interpreted?.[1] === 'ruby')
    return of('Ruby', interpreted[2] ?? versionIn(mapped, /libruby[-.](?:so\.)?(\d+\.\d+)/));
  if (interpreted?.[1]?.startsWith('php') === true) return of('PHP', interpreted[2] ?? '');
  if (interpreted?.[1] === 'perl') return of('Perl');
  if (interpreted?.[1] === 'deno') return of('Deno');
  if (interpreted?.[1] === 'bun') return of('Bun');
  if (name === 'java') return of('Java', major(version.replace(/^1\./, '')));
  if (name === 'beam.smp')
    return of('Erlang', '', argv.some((word) => word.includes('elixir')) ? 'Elixir on its command line' : 'executable');
  const core = versionIn(mapped, /Microsoft\.NETCore\.App\/(\d+)\./);
  if (name === 'dotnet' || core !== '' || mapped.some((path) => path.endsWith('/libcoreclr.so')))
    return of('.NET', core);
  if (mapped.some((path) => path.endsWith('/libjvm.so'))) return of('Java', major(version), 'mapped libraries');
  return undefined;
}

function framework(family: string, packages: readonly string[]): { readonly framework?: string } {
  const found = FRAMEWORKS[family]?.find(([pattern]) => packages.some((name) => pattern.test(name)));
  return found === undefined ? {} : { framework: found[1] };
}

function versionIn(paths: readonly string[], pattern: RegExp): string {
  for (const path of paths) {
    const found = pattern.exec(path);
    if (found !== null) return found[1]!;
  }
  return '';
}

function major(version: string): string {
  return /^v?(\d+)/.exec(version)?.[1] ?? '';
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/ \(deleted\)$/, '');
}

/** What a header `Server` or `X-Powered-By` says; a hint, as anybody may write anything there. */
export function guessFromHeader(header: string): Guess | undefined {
  const by = 'Server header';
  for (const [pattern, guess] of HEADERS) {
    const found = pattern.exec(header);
    if (found !== null) return { ...guess, by };
  }
  return undefined;
}

const HEADERS: readonly (readonly [RegExp, Omit<Guess, 'by'>])[] = [
  [/^(gunicorn|uvicorn|hypercorn|werkzeug|waitress|daphne)/i, { language: 'Python' }],
  [/^(python|aiohttp|tornado)/i, { language: 'Python' }],
  [/^express/i, { language: 'Node', framework: 'Express' }],
  [/^next\.js/i, { language: 'Node', framework: 'Next.js' }],
  [/^kestrel/i, { language: '.NET', framework: 'ASP.NET Core' }],
  [/^asp\.net/i, { language: '.NET' }],
  [/^php/i, { language: 'PHP' }],
  [/^(jetty|apache-coyote|tomcat|undertow|wildfly)/i, { language: 'Java' }],
  [/^(puma|passenger|webrick|thin|unicorn)/i, { language: 'Ruby' }],
  [/^(cowboy|bandit)/i, { language: 'Erlang' }],
  [/^actix|^hyper|^rocket/i, { language: 'Rust' }],
  [/^fasthttp/i, { language: 'Go' }],
  [/^nginx/i, { software: 'nginx' }],
  [/^apache/i, { software: 'Apache httpd' }],
  [/^envoy/i, { software: 'Envoy' }],
  [/^caddy/i, { software: 'Caddy' }],
];
