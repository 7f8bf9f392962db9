/** The cluster's own resolver, which knows nobody. Usage: resolver.ts ADDRESS. Says NXDOMAIN to every query, as to a name of the search list. */
import { createSocket } from 'node:dgram';

const RESPONSE_RECURSIVE = 0x8180;
const NXDOMAIN = 3;

const socket = createSocket('udp4');
socket.on('message', (query, client) => {
  if (query.length < 12) return;
  const answer = Buffer.from(query);
  answer.writeUInt16BE(RESPONSE_RECURSIVE | NXDOMAIN, 2);
  answer.fill(0, 10, 12); // what the query added, such as EDNS, is not answered
  socket.send(answer.subarray(0, endOfQuestion(query)), client.port, client.address);
});
socket.bind(53, process.argv[2], () => console.log('listening'));

function endOfQuestion(query: Buffer): number {
  let at = 12;
  while (at < query.length && query[at] !== 0) at += query[at]! + 1;
  return Math.min(query.length, at + 5); // the root, type and class
}
