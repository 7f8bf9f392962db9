/**
 * An application that calls another one before it answers, and passes `traceparent` on, or drops it.
 * Usage: relay.ts PORT [NEXT_URL] [drop]. A path that holds `fail` is answered with 500 by whoever calls nobody.
 */
import { createServer, request } from 'node:http';

const [port, next = '', how = 'forward'] = process.argv.slice(2);

const server = createServer((incoming, response) => {
  const path = incoming.url ?? '/';
  if (next === '') {
    response.writeHead(path.includes('fail') ? 500 : 200).end('done');
    return;
  }
  const { traceparent } = incoming.headers;
  const headers = how === 'forward' && typeof traceparent === 'string' ? { traceparent } : {};
  request(`${next}${path}`, { headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502);
    answer.pipe(response);
  })
    .on('error', () => response.writeHead(502).end())
    .end();
});
server.listen(Number(port), '::', () => console.log('listening'));
