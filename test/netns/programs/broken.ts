/**
 * An application that answers 500 to everything, and says on stdout which path was asked for, one a line.
 * Usage: broken.ts PORT
 */
import { createServer } from 'node:http';

createServer((request, response) => {
  console.log(request.url);
  response.writeHead(500).end();
}).listen(Number(process.argv[2]), '::', () => console.log('listening'));
