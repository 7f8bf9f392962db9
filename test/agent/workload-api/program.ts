/** Prints what the Workload API tells it, an event a line: `node program.ts SOCKET`. @module */
import { X509Certificate } from 'node:crypto';
import { WorkloadClient } from './client.ts';

using client = new WorkloadClient(process.argv[2]!);
const stream = client.svids();
for (;;) {
  const event = await stream.next();
  if (event.kind === 'end') {
    console.log(JSON.stringify({ code: event.code, details: event.details }));
    break;
  }
  const svids = event.message.svids.map(({ spiffe_id, x509_svid }) => {
    const { subjectAltName, fingerprint256 } = new X509Certificate(x509_svid);
    return { id: spiffe_id, certificate: subjectAltName, fingerprint: fingerprint256 };
  });
  console.log(JSON.stringify({ svids }));
}
