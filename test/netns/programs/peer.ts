/** A TCP application for tests: tells whoever connects the address it sees, and hangs up. Usage: peer.ts PORT */
import { createServer } from 'node:net';

createServer((socket) => {
  socket.on('error', () => socket.destroy());
  socket.end(`${socket.remoteAddress}\n`);
}).listen(Number(process.argv[2]), '::', () => console.log('listening'));
