/**
 * A server that speaks first, as SMTP and MySQL do. Usage: greeter.ts PORT
 *
 * Sends a banner at once, then echoes; when the client has half-closed, says how much it got and closes.
 */
import { createServer } from 'node:net';

const server = createServer({ allowHalfOpen: true }, (socket) => {
  let bytes = 0;
  socket.write('220 greeter ready\r\n');
  socket.on('data', (chunk) => {
    bytes += chunk.length;
    socket.write(chunk);
  });
  socket.on('end', () => socket.end(`221 got ${bytes} bytes\r\n`));
  socket.on('error', () => socket.destroy());
});
server.listen(Number(process.argv[2]), '::', () => console.log('listening'));
