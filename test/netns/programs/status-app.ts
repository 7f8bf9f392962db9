/**
 * An application for tests, which knows nothing of Weft. Usage: status-app.ts PORT
 *
 * /status/CODE/ID answers CODE; /reset/ID is not answered, its connection is reset.
 */
import { createServer } from 'node:http';
import type { Socket } from 'node:net';

const server = createServer((request, response) => {
  const [, what, code] = (request.url ?? '').split('/');
  if (what === 'reset') (request.socket as Socket).resetAndDestroy();
  else {
    response.writeHead(Number(code));
    response.end('told');
  }
});
server.listen(Number(process.argv[2]), '::', () => console.log('listening'));
