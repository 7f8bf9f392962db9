/** Asks a URL COUNT times, one after the other, and prints the statuses. Usage: calls.ts URL COUNT */
import { Agent, get, type IncomingMessage } from 'node:http';

const [url = '', count = '1'] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const statuses: number[] = [];
for (let i = 0; i < Number(count); i++) {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  get(url, { agent, timeout: 10_000 }, resolve).on('error', reject);
  const answer = await promise;
  statuses.push(answer.statusCode ?? 0);
  await answer.resume().toArray();
}
process.stdout.write(JSON.stringify(statuses));
agent.destroy();
