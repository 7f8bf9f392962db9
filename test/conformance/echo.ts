/**
 * The server of the conformance suite, as far as its tests look at it. Usage: echo.ts POD NAMESPACE
 *
 * HTTP on 8080, gRPC on 7070, bytes on 9090: each says what it received and who it is. Header lines are told as they came.
 */
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { readMessage, writeMessage } from './grpc-text.ts';

const [pod, namespace] = process.argv.slice(2);
const PORTS = { http: 8_080, grpc: 7_070, tcp: 9_090 } as const;

const web = http.createServer((request, response) => {
  const headers: string[][] = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) headers.push(request.rawHeaders.slice(i, i + 2));
  const { url: target, method, httpVersion, headers: fields } = request;
  request.resume();
  response.setHeader('content-type', 'application/json');
  response.end(
    JSON.stringify({ host: fields.host, target, method, proto: `HTTP/${httpVersion}`, headers, pod, namespace }),
  );
});

const calls = http2.createServer();
calls.on('stream', (stream: http2.ServerHttp2Stream, _headers: unknown, _flags: number, raw: unknown) => {
  const list = raw as readonly string[];
  const headers: string[][] = [];
  for (let i = 0; i < list.length; i += 2) headers.push(list.slice(i, i + 2));
  const chunks: Buffer[] = [];
  stream.on('error', () => stream.destroy());
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('end', () => {
    const text = JSON.stringify({ headers, pod, namespace, echo: readMessage(Buffer.concat(chunks)) });
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(writeMessage(text));
  });
});

const bytes = net.createServer((socket) => {
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
});

let listening = 0;
for (const [server, port] of [
  [web, PORTS.http],
  [calls, PORTS.grpc],
  [bytes, PORTS.tcp],
] as const) {
  server.listen(port, '::', () => {
    if (++listening === 3) console.log('listening');
  });
}
