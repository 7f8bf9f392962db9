/** Errors the agent itself raises: configuration, files, its sockets, and talking to another agent. @module */

/** Every code `agent/` raises. The error reference is generated from this table, and a test compares the two. */
export const AGENT_ERRORS = {
  WEFT_AGENT_CONFIG_UNREADABLE:
    'the configuration file can not be read; check the path given with -c and its permissions',
  WEFT_AGENT_CONFIG_INVALID: 'the configuration is refused; correct the lines named above, then run weft check',
  WEFT_AGENT_ADDRESS_IN_USE:
    'another process listens there; stop it (ss -ltnp shows which) or choose another address in agent.yaml',
  WEFT_AGENT_ADDRESS_UNUSABLE: 'can not listen there; choose an address of this machine and a port this user may open',
  WEFT_AGENT_SOCKET_BUSY:
    'another agent answers on this socket; stop it, or set admin.socket or workloadApi.socket to another path',
  WEFT_AGENT_SOCKET_UNUSABLE:
    'can not create a socket there; set admin.socket or workloadApi.socket to a path this user may write',
  WEFT_AGENT_TAKEOVER_FAILED:
    'not taken over, and the running agent goes on as before; correct what is named, or stop that agent and start this one',
  WEFT_AGENT_TAKEOVER_ABANDONED:
    'the agent that was taking over did not finish; this one drains and ends, and its rules stay: start an agent again',
  WEFT_AGENT_UNREACHABLE:
    'no agent answers there; start it (weft agent -c FILE) or name another with --socket, --address or WEFT_SOCKET',
  WEFT_AGENT_ANSWER: 'the agent refused or failed this request; its log has the details',
  WEFT_AGENT_WORKLOAD_NO_ADDRESS:
    'no address that other nodes could reach; bring up an interface in its network namespace, or set spec.address',
  WEFT_AGENT_NODE_NAME:
    'the node bundle is of another node; correct nodeName in agent.yaml, or install the bundle of this node',
  WEFT_AGENT_TOKEN_INVALID:
    'not a join token, or cut short; copy it whole, as weft token create printed it, or make a new one',
  WEFT_AGENT_JOIN_UNREACHABLE:
    'no issuer answers there; give the address and port of certs.join.listen of an agent with certs.issuerDirectory',
  WEFT_AGENT_JOIN_IMPOSTOR:
    'whoever answers there is no issuer of the mesh that the token is for, and was not shown the token; check the address',
  WEFT_AGENT_JOIN_REFUSED: 'the issuer refused; nothing was written',
  WEFT_AGENT_JOIN_ANSWER: 'what the issuer sent cannot be used, and nothing was written; look at its log and version',
  WEFT_AGENT_ISSUER_UNTRUSTED:
    'no root that this node trusts signed this issuer; set certs.issuerDirectory to an issuer of its own trust domain',
  WEFT_AGENT_DOCUMENT_INVALID: 'nothing was written; correct the lines named above',
  WEFT_AGENT_DOCUMENT_REFUSED: 'the agent refused the document; the reason is named above',
  WEFT_AGENT_DOCUMENT_CONFLICT:
    'somebody else wrote it meanwhile; look with weft diff and weft history, then apply to the revision in force',
  WEFT_AGENT_DOCUMENT_UNKNOWN:
    'there is no such document or revision; weft get KIND and weft history show what there is',
  WEFT_AGENT_CALL_UNNAMED: 'settings are those of calls: weft get trafficpolicy --effective --from CALLER --to SERVICE',
  WEFT_AGENT_NO_OPERATOR:
    'documents are signed by an operator; name the directory of one with --operator or WEFT_OPERATOR',
  WEFT_AGENT_REVOKE_SUBJECT: 'nothing was revoked; correct what is named above',
  WEFT_AGENT_ROTATION_REFUSED:
    'these roots are not followed, and what was trusted before still is; weft cert rotate-root status shows all nodes',
  WEFT_AGENT_ROTATION_WAITS:
    'not every node is that far; bring these nodes back, or leave them out with --without NODE, then run it again',
  WEFT_AGENT_ROTATION_STAGE: 'nothing was done; weft cert rotate-root status shows what there is to do',
  WEFT_AGENT_SNAPSHOT_INVALID: 'not a snapshot that weft snapshot wrote, or damaged; take another',
  WEFT_AGENT_FILE_READ: 'the file can not be read; check the path and its permissions',
  WEFT_AGENT_FILE_WRITE: 'the file can not be written; check the free space and the permissions of its directory',
} as const;

export type AgentErrorCode = keyof typeof AGENT_ERRORS;

export class AgentError extends Error {
  override readonly name = 'AgentError';
  readonly code: AgentErrorCode;
  /** What it is about, without the advice that the code adds. */
  readonly subject: string;
  constructor(code: AgentErrorCode, subject: string, options?: ErrorOptions) {
    super(`${subject}: ${AGENT_ERRORS[code]}`, options);
    this.code = code;
    this.subject = subject;
  }
}

/** The `code` of a system error such as ENOENT, or undefined for anything else that was thrown. */
export function systemCode(err: unknown): string | undefined {
  return err instanceof Error && 'code' in err && typeof err.code === 'string' ? err.code : undefined;
}

/** What to print of something thrown: its message, never its stack. */
export function messageOf(err: unknown): string {
  return err instanceof Error ? err.message : String(err);
}
