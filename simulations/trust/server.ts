/** A web server that answers every request. Usage: server.ts PORT */
import { createServer } from 'node:http';

const [port = ''] = process.argv.slice(2);
const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  request.resume();
  response.writeHead(200, { 'content-type': 'application/json' }).end('{"version":"v1"}');
});
server.listen(Number(port), () => process.stdout.write('listening\n'));
