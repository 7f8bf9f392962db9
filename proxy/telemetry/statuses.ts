/** Final statuses that have a column of their own: those IANA has registered. Others are counted by their class. @module */

const REGISTERED: readonly (readonly [first: number, last: number])[] = [
  [100, 104],
  [200, 208],
  [226, 226],
  [300, 308],
  [400, 418],
  [421, 426],
  [428, 429],
  [431, 431],
  [451, 451],
  [500, 508],
  [510, 511],
];

const CODES = REGISTERED.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));

/** By column. '0' is for requests without a final response, '4xx' for a status of that class without a column. */
export const STATUS_NAMES: readonly string[] = ['0', ...CODES.map(String), '1xx', '2xx', '3xx', '4xx', '5xx'];
export const STATUS_COLUMNS = STATUS_NAMES.length;

const FIRST_OTHER = 1 + CODES.length;
const COLUMN_OF_STATUS = Uint8Array.from({ length: 600 }, (_, status) => {
  const at = CODES.indexOf(status);
  if (at !== -1) return at + 1;
  return status < 100 ? 0 : FIRST_OTHER + Math.floor(status / 100) - 1;
});

/** The column of a status; of what is none, that of '0'. */
export function statusColumn(status: number): number {
  return COLUMN_OF_STATUS[status] ?? 0;
}

/** By column: the class, 0 for 1xx to 4 for 5xx; -1 for no response. */
export const CLASS_OF_COLUMN: readonly number[] = STATUS_NAMES.map((name) => Number(name[0]) - 1);

/** Statuses of gRPC, 0 to 16, then what is none of them or was never told. */
export const GRPC_NAMES: readonly string[] = [...Array.from({ length: 17 }, (_, i) => String(i)), 'other'];
export const GRPC_COLUMNS = GRPC_NAMES.length;

export function grpcColumn(status: number): number {
  return status >= 0 && status < GRPC_COLUMNS - 1 ? status : GRPC_COLUMNS - 1;
}
