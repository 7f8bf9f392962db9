/** A server that answers every byte with itself, as an opaque protocol for tests. Usage: echo.ts PORT */
import { createServer } from 'node:net';

const server = createServer({ noDelay: true }, (socket) => {
  socket.pipe(socket).on('error', () => socket.destroy());
});
server.listen({ port: Number(process.argv[2]), host: '::', backlog: 4_096 }, () => console.log('listening'));
