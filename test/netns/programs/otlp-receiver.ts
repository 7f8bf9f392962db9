/** A collector of spans, as far as a test needs one: OTLP over HTTP with JSON; prints what it is sent, a request a line. Usage: otlp-receiver.ts PORT */
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const isTraces = request.method === 'POST' && request.url === '/v1/traces';
    const isJson = request.headers['content-type'] === 'application/json';
    if (!isTraces || !isJson) {
      response.writeHead(400).end();
      return;
    }
    console.log(JSON.stringify(JSON.parse(Buffer.concat(chunks).toString())));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
});
server.listen(Number(process.argv[2]), '0.0.0.0', () => console.log('listening'));
