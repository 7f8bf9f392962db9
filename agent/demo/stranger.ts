/**
 * Somebody without an identity knocks at an agent's tunnel port: speaks TLS, presents no certificate, asks for a page.
 * Prints one word: `refused` when it gets no answer, `answered` when it gets one, `unreachable` when nobody listens.
 *
 * Usage: node stranger.ts ADDRESS PORT SERVER_NAME
 */
import { connect } from 'node:tls';

const TIMEOUT_MS = 3_000;

const [host = '', port = '', servername = ''] = process.argv.slice(2);
const socket = connect({
  host,
  port: Number(port),
  rejectUnauthorized: false, // it is the other side that must check
  ALPNProtocols: ['http/1.1'],
  servername,
});
let answer = 'unreachable';
socket.on('connect', () => {
  answer = 'refused';
});
// In TLS 1.3 the client is done before the server has looked for its certificate: the refusal follows the request.
socket.on('secureConnect', () => socket.write('GET /healthz HTTP/1.1\r\nhost: stranger\r\n\r\n'));
socket.on('data', () => {
  answer = 'answered';
  socket.destroy();
});
socket.on('error', () => {});
socket.on('close', () => console.log(answer));
socket.setTimeout(TIMEOUT_MS, () => socket.destroy());
