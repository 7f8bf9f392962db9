/** Every code `proxy/` raises; what happens to single requests and connections is told by `reasons.ts` instead. @module */

export const PROXY_ERRORS = {
  WEFT_PROXY_LISTEN_FAILED: 'cannot listen there; another process holds the port, or the address is not of this host',
  WEFT_PROXY_LISTENER_EXISTS: 'a listener of this id is open already; close it first with unlisten()',
  WEFT_PROXY_BAD_LISTENER: 'the listener is not complete; see ListenerSpec for what its role needs',
  WEFT_PROXY_BAD_SVID: 'the certificate or key of this workload cannot be used; it keeps the one it had',
  WEFT_PROXY_CLOSED: 'the proxy is closed',
} as const;

export class ProxyError extends Error {
  override readonly name = 'ProxyError';
  readonly code: keyof typeof PROXY_ERRORS;
  constructor(code: keyof typeof PROXY_ERRORS, subject: string, options?: ErrorOptions) {
    super(`${subject}: ${PROXY_ERRORS[code]}`, options);
    this.code = code;
  }
}
