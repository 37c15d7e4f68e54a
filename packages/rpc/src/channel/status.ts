import { Metadata, status as Status } from '@grpc/grpc-js';
import type { ServiceError, StatusObject } from '@grpc/grpc-js';
import type { ErrorCode } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import { errorMessageLimit } from './limits.ts';

/** Names of gRPC's status codes. */
export type StatusName = keyof typeof Status;

interface Row {
  readonly code: ErrorCode;
  readonly status: StatusName;
}

/**
 * Codes and statuses, both ways: of several rows with the same code, or the same status, the first counts. The exact
 * code travels beside the status, for peers that know it.
 */
const rows: readonly Row[] = [
  { code: 'invalid-argument', status: 'INVALID_ARGUMENT' },
  { code: 'not-found', status: 'NOT_FOUND' },
  { code: 'already-exists', status: 'ALREADY_EXISTS' },
  { code: 'permission', status: 'PERMISSION_DENIED' },
  { code: 'permission', status: 'UNAUTHENTICATED' },
  { code: 'precondition', status: 'FAILED_PRECONDITION' },
  { code: 'superseded', status: 'ABORTED' },
  { code: 'unsupported', status: 'UNIMPLEMENTED' },
  { code: 'unsupported', status: 'OUT_OF_RANGE' },
  { code: 'limit', status: 'RESOURCE_EXHAUSTED' },
  { code: 'corrupt', status: 'DATA_LOSS' },
  { code: 'unavailable', status: 'UNAVAILABLE' },
  { code: 'unavailable', status: 'DEADLINE_EXCEEDED' },
  { code: 'busy', status: 'UNAVAILABLE' },
  { code: 'cancelled', status: 'CANCELLED' },
  { code: 'internal', status: 'INTERNAL' },
  { code: 'io', status: 'UNKNOWN' },
];

const codeKey = 'polyvisor-code';
const statusOfCode = new Map<string, StatusName>();
const codeOfStatus = new Map<number, ErrorCode>();
for (const { code, status } of rows) {
  if (!statusOfCode.has(code)) statusOfCode.set(code, status);
  if (!codeOfStatus.has(Status[status])) codeOfStatus.set(Status[status], code);
}

const chosen = new WeakMap<Error, StatusName>();

/** Gives an error another status than its code's: OUT_OF_RANGE for an `unsupported` version, for instance. */
export function withStatus(error: PolyvisorError, status: StatusName): PolyvisorError {
  chosen.set(error, status);
  return error;
}

/** What gRPC sends of an error. Only this project's errors tell their message: others could tell too much. */
export function statusOfError(error: unknown): Partial<StatusObject> {
  const metadata = new Metadata();
  if (!(error instanceof PolyvisorError)) {
    metadata.set(codeKey, 'internal');
    return { code: Status.INTERNAL, details: 'internal error', metadata };
  }
  metadata.set(codeKey, error.code);
  const status = chosen.get(error) ?? statusOfCode.get(error.code) ?? 'UNKNOWN';
  return { code: Status[status], details: shortened(error.message), metadata };
}

/** The error that a status stands for. */
export function errorOfStatus(
  status: Pick<StatusObject, 'code' | 'details' | 'metadata'>,
  which: string,
): PolyvisorError {
  const told = status.metadata.get(codeKey)[0];
  const code =
    typeof told === 'string' && statusOfCode.has(told)
      ? (told as ErrorCode)
      : (codeOfStatus.get(status.code) ?? 'internal');
  const details = shortened(status.details === '' ? `status ${Status[status.code]}` : status.details);
  // What another process of this project says is complete; what gRPC says needs to be told what it is about.
  return told === undefined
    ? new PolyvisorError(code, { what: 'a call failed', which, limit: details })
    : new PolyvisorError(code, { what: details });
}

/** {@link errorOfStatus} for what gRPC throws. */
export function errorOfServiceError(error: ServiceError, which: string): PolyvisorError {
  return errorOfStatus(
    { code: error.code, details: error.details, metadata: error.metadata ?? new Metadata() },
    which,
  );
}

/** Also keeps `%` sequences of gRPC's encoding away from halves of characters. */
function shortened(text: string): string {
  const whole = text.toWellFormed();
  return whole.length <= errorMessageLimit
    ? whole
    : `${whole.slice(0, errorMessageLimit - 1).toWellFormed()}…`;
}
