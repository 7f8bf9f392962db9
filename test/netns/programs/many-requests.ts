/**
 * Asks for many things, some at a time. Usage: many-requests.ts ORIGIN COUNT PATH...
 *
 * Paths are taken in turn, with a number at their end. Prints as JSON how often each status came, 0 for none.
 */
import { Agent, request } from 'node:http';

const [origin = '', count = '0', ...paths] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: 16 });
const statuses: Record<string, number> = {};
let next = 0;

await Promise.all(Array.from({ length: 16 }, client));
agent.destroy();
console.log(JSON.stringify(statuses));

async function client(): Promise<void> {
  while (next < Number(count)) {
    const i = next++;
    const status = await ask(`${origin}${paths[i % paths.length]}/${i}`);
    statuses[status] = (statuses[status] ?? 0) + 1;
  }
}

function ask(url: string): Promise<number> {
  return new Promise((resolve) => {
    const asked = request(url, { agent }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0));
    });
    asked.once('error', () => resolve(0)).end();
  });
}
