import { PolyvisorError } from '@polyvisor/contracts';
import type { OperationStatus } from '../protocol.ts';

const fullCodes: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);
const fullText = 'no space left on the host';
const chainLimit = 8;

/** What a device host is told of an operation that failed. */
export function statusOfFailure(error: unknown): OperationStatus {
  let at: unknown = error;
  for (let depth = 0; depth < chainLimit && at instanceof Error; depth++) {
    if ('code' in at && fullCodes.has(at.code)) return 'no-space';
    if (at instanceof PolyvisorError && at.parts.limit === fullText) return 'no-space';
    at = at.cause;
  }
  return error instanceof PolyvisorError && error.code === 'cancelled' ? 'cancelled' : 'io';
}
