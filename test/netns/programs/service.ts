/**
 * An application that stops as applications usually do: at SIGTERM it closes its listener, answers what is open and ends.
 * Usage: service.ts PORT NAME [STATUS] [DELAY_MS], a delay that ?delayMs= in a request replaces. Any request is answered with NAME and how many bytes of a body came;
 * GET /seen with how many other requests have come so far.
 */
import { createServer } from 'node:http';

const [port, name, status = '200', delayMs = '0'] = process.argv.slice(2);
let seen = 0;

const server = createServer((request, response) => {
  let bytes = 0;
  request.on('data', (chunk: Buffer) => (bytes += chunk.length));
  request.on('end', () => {
    if (request.url === '/seen') {
      response.end(JSON.stringify({ seen }));
      return;
    }
    seen++;
    response.writeHead(Number(status));
    const waitMs = Number(/delayMs=(\d+)/.exec(request.url ?? '')?.[1] ?? delayMs);
    if (waitMs === 0) response.end(JSON.stringify({ name, bytes }));
    else setTimeout(() => response.end(JSON.stringify({ name, bytes })), waitMs);
  });
});
server.listen(Number(port), '::', () => console.log('listening'));
process.once('SIGTERM', () => server.close(() => process.exit()));
