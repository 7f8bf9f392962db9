/** Asks a URL again and again, each time on a new connection, until SIGTERM; then prints how many answers were not 200. */
import { request } from 'node:http';

const [url = '', perSecond = '20'] = process.argv.slice(2);
let requests = 0;
const failures: string[] = [];

function ask(): void {
  requests++;
  const asked = request(url, { agent: false, timeout: 5_000 }, (answer) => {
    if (answer.statusCode !== 200) failures.push(`${answer.statusCode} ${String(answer.headers['weft-reason'])}`);
    answer.resume();
  });
  asked.on('timeout', () => asked.destroy(new Error('timeout')));
  asked.on('error', (err) => failures.push(err.message));
  asked.end();
}

const clock = setInterval(ask, 1_000 / Number(perSecond));
process.once('SIGTERM', () => {
  clearInterval(clock);
  setTimeout(() => {
    process.stdout.write(JSON.stringify({ requests, failures }));
    process.exit();
  }, 1_000); // answers under way
});
