/** The certificate that console.listen shows: of files, or the node's own; looked at each minute, so that renewing needs no restart. @module */
import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import { AgentError, messageOf } from '../errors.ts';
import type { ConsoleConfig } from './config.ts';

const LOOK_MS = 60_000;

export interface Shown {
  readonly cert: string;
  readonly key: string;
}

/** @throws AgentError when a file cannot be read */
export function shownCertificate({ certificate, key }: ConsoleConfig, node: NodeIdentity): Shown {
  if (certificate === '') {
    return {
      cert: node.chain.map(String).join(''),
      key: node.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
  }
  try {
    return { cert: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
  } catch (err) {
    const subject = `console.certificate ${certificate}, console.key ${key}: ${messageOf(err)}`;
    throw new AgentError('WEFT_AGENT_FILE_READ', subject, { cause: err });
  }
}

/** What cannot be shown leaves what was shown before. */
export function watchCertificate(options: {
  readonly read: () => Shown;
  readonly shown: Shown;
  readonly show: (next: Shown) => void;
  readonly log: Logger;
}): Disposable {
  let { shown } = options;
  const look = (): void => {
    try {
      const next = options.read();
      if (next.cert === shown.cert && next.key === shown.key) return;
      options.show(next);
      shown = next;
      options.log.info('the console shows another certificate');
    } catch (err) {
      options.log.error({ err }, 'the certificate of the console could not be read; it goes on with the one before');
    }
  };
  const timer = setInterval(look, LOOK_MS).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
