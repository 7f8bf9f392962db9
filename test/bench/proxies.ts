/** A set of proxies under test: where load enters, and which processes carry it. @module */
export interface Proxies extends AsyncDisposable {
  /** Address of its entries; the ports are those of the routes. */
  readonly address: string;
  readonly pids: readonly number[];
}

/** PEM files that proxies other than Weft authenticate with. */
export interface CertificateFiles {
  readonly chain: string;
  readonly key: string;
  /** Chain and key in one file. */
  readonly both: string;
  readonly roots: string;
}

/** The host name in the certificate, which is verified. */
export const HOST_NAME = 'bench.weft';
