/** What can go wrong between the agent, the kernel and `nft`. @module */
import { getSystemErrorName } from 'node:util';

/** Every code `agent/capture/` raises. The error reference is generated from this table, and a test compares the two. */
export const CAPTURE_ERRORS = {
  WEFT_CAPTURE_UNSUPPORTED:
    'this machine can not capture traffic; capture needs Linux and the koffi package, so set capture.mode to none',
  WEFT_CAPTURE_NOT_PERMITTED:
    'capture needs the capabilities CAP_SYS_ADMIN and CAP_NET_ADMIN; run the agent as root, or set capture.mode to none',
  WEFT_CAPTURE_NAMESPACE_GONE:
    'there is no such network namespace (any more); check the path or pid in the workload file',
  WEFT_CAPTURE_NAMESPACE_INVALID:
    'not a network namespace; name a file such as /run/netns/NAME or /proc/PID/ns/net in the workload file',
  WEFT_CAPTURE_STRANDED:
    'this thread could not return to the network namespace of the agent and must end; see the cause, then restart it',
  WEFT_CAPTURE_PORT_IN_USE:
    'another process listens on a port that capture needs; ss -lntup inside that namespace shows it; stop it, or move it',
  WEFT_CAPTURE_LOOPBACK_DOWN:
    'redirected traffic arrives on the loopback interface, which is down there; run: ip link set lo up',
  WEFT_CAPTURE_SPEC: 'this can not be captured as asked; correct the workload file',
  WEFT_CAPTURE_NFT_MISSING:
    'the program nft was not found; install the package nftables (apt install nftables, dnf install nftables, apk add nftables)',
  WEFT_CAPTURE_NFT_FAILED:
    'nft refused the rules or could not run; the kernel needs nf_tables, nft_redir and nft_chain_nat (modprobe shows which is absent)',
  WEFT_CAPTURE_CLIENT_ADDRESS:
    "this kernel does not route by marks (CONFIG_IP_MULTIPLE_TABLES), which keeping the client's address needs; set proxy.clientAddress to off",
  WEFT_CAPTURE_STATE_UNREADABLE:
    'the list of captured namespaces is damaged; delete the file, and in namespaces that left the mesh run: nft delete table inet weft',
} as const;

export type CaptureErrorCode = keyof typeof CAPTURE_ERRORS;

export class CaptureError extends Error {
  override readonly name = 'CaptureError';
  readonly code: CaptureErrorCode;
  constructor(code: CaptureErrorCode, subject: string, options?: ErrorOptions) {
    super(`${subject}: ${CAPTURE_ERRORS[code]}`, options);
    this.code = code;
  }
}

/** A call the kernel refused, in the shape of Node's own system errors. */
export class SystemCallError extends Error {
  override readonly name = 'SystemCallError';
  /** The name of the errno, such as EADDRINUSE. */
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  constructor(syscall: string, errno: number, subject: string) {
    const code = getSystemErrorName(-errno);
    super(`${subject}: ${syscall} failed with ${code}`);
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
  }
}
